import ConfigFile
import Testing

struct PatternTests {
    @Test(arguments: [
        ("news", ["news"], ["new", "newss", "news.a", ""]),
        ("room.*", ["room.1", "room.a/b"], ["room", "room.", "room.1.2", "rooms.1"]),
        ("*.log", ["a.log"], [".log", "a.b.log", "a.logs"]),
        ("room.**", ["room.1", "room.1.2"], ["room", "room.", "rooms"]),
        ("**", ["a", "a.b.c"], [""]),
        ("*", ["a"], ["a.b", ""]),
        ("a.*.c", ["a.b.c"], ["a..c", "a.b.d", "a.b.c.d"]),
    ]) func `channel patterns`(text: String, taken: [String], refused: [String]) throws {
        let pattern = try #require(ChannelPattern(text))
        for name in taken {
            let isTaken = pattern.matches(Array(name.utf8).span)
            #expect(isTaken, "\(text) takes \(name)")
        }
        for name in refused {
            let isTaken = pattern.matches(Array(name.utf8).span)
            #expect(!isTaken, "\(text) refuses \(name)")
        }
    }

    @Test(arguments: [
        ("/poll", ["/poll": []], ["/poll/", "/pol", "/", "", "poll", "/Poll"]),
        ("/", ["/": []], ["", "/a"]),
        (
            "/rooms/{room}/poll", ["/rooms/7/poll": ["7"], "/rooms/%2f/poll": ["%2f"]],
            ["/rooms//poll", "/rooms/7/poll/x"]
        ),
        ("/{a}/{b}", ["/1/2": ["1", "2"]], ["/1", "/1/", "//2", "/1/2/3"]),
        ("/static/**", ["/static": [], "/static/": [], "/static/a/b": []], ["/statics", "/"]),
        ("/**", ["/": [], "/a": []], ["", "a"]),
        ("/a/", ["/a/": []], ["/a", "/a/b"]),
    ]) func `path patterns`(text: String, taken: [String: [String]], refused: [String]) throws {
        let pattern = try PathPattern(text)
        for (path, captures) in taken {
            let bytes = Array(path.utf8)
            guard let match = pattern.match(bytes.span) else {
                Issue.record("\(text) takes \(path)")
                continue
            }
            let names = pattern.captureNames
            #expect(names.compactMap { match[$0] }.map { String(decoding: bytes[$0], as: UTF8.self) } == captures)
            #expect(names.count == captures.count)
        }
        for path in refused {
            let match = pattern.match(Array(path.utf8).span)
            #expect(match == nil, "\(text) refuses \(path)")
        }
    }

    @Test(arguments: [
        ("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("1d", 86_400_000), ("0s", 0), ("1m0s", 60_000),
    ]) func `durations`(text: String, milliseconds: Int) {
        #expect(DurationText(text)?.duration == .milliseconds(milliseconds))
    }

    @Test(arguments: [
        "", "90", "s", "1s1m", "1s1s", "-1s", "1.5s", "1 s", "1S", "9223372036854775807d", "99999999999999999999s",
    ])
    func `texts that are no duration`(text: String) { #expect(DurationText(text) == nil) }

    @Test(arguments: [
        ("0", 0), ("1", 1), ("64KiB", 65536), ("1MB", 1_000_000), ("1kB", 1000), ("3GiB", 3 << 30), ("7B", 7),
    ])
    func `sizes`(text: String, bytes: Int) { #expect(ByteSize(text)?.bytes == bytes) }

    @Test(arguments: ["", "KiB", "-1", "1.5MiB", "1 MiB", "1mib", "9223372036854775807KiB", "1e3"])
    func `texts that are no size`(text: String) { #expect(ByteSize(text) == nil) }

    @Test(arguments: [250, 1000, 90_000, 5_400_000, 86_400_000, 90_061_001]) func `a printed duration reads the same`(
        milliseconds: Int
    ) {
        let text = DurationText(.milliseconds(milliseconds)).description
        #expect(DurationText(text)?.duration == .milliseconds(milliseconds))
    }

    @Test func `templates`() throws {
        let template = try TemplateText("room.{query.Room}.{header.X-User}.{client.address}{{}}")
        #expect(template.references.map(\.text) == ["query.Room", "header.x-user", "client.address"])
        #expect(template.parts.last == .literal(Array("{}".utf8)))
        #expect(template.isClientControlled)
        #expect(try !TemplateText("at.{client.address}").isClientControlled)
    }
}
