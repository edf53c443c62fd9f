import Foundation
import Testing

/// The examples as a newcomer runs them. Each needs its language's interpreter and is passed over without it.
struct ExamplesTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "examples")

    static func interpreter(_ name: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    static let publishers = [
        ("sh", "publish.sh"), ("php", "publish.php"), ("python3", "publish.py"), ("ruby", "publish.rb"),
        ("node", "publish.js"), ("perl", "publish.pl"),
    ].filter { program, file in
        interpreter(program) != nil && (file != "publish.sh" || interpreter("curl") != nil)
    }

    @Test(arguments: publishers) func `a publisher's message reaches a held poll, whatever stands in it`(
        program: String, file: String
    ) throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let path = try #require(Self.interpreter(program))
        let text = "\"quoted\" \\ ünï \u{1F600} %41 & <b>"
        let script = Self.folder.appending(path: "publishers/\(file)").path
        let done = try Command.run([script, pollhold.socketPath, "news", text], program: path)
        #expect(done.status == 0, "\(done.errors)")
        #expect(done.output.contains("1"), "the id")
        #expect(try poll.response().messages.first?["data"] as? String == text)
        let refused = try Command.run([script, pollhold.socketPath, "not a channel", text], program: path)
        #expect(refused.status != 0)
        #expect((refused.output + refused.errors).contains("channel name"))
        let alone = try Command.run([script, pollhold.directory.path + "/nobody", "news", text], program: path)
        #expect(alone.status != 0)
    }

    @Test(.enabled(if: interpreter("python3") != nil))
    func `what is said in the legacy chat reaches a held poll in front of it`() throws {
        let directory = try TemporaryDirectory()
        let socket = directory.path + "/control.sock"
        let chat = try ExampleProcess(
            "python3", [Self.folder.appending(path: "legacy-chat/chat.py").path],
            environment: ["POLLHOLD_SOCKET": socket, "CHAT_POLL": "hold"])
        #expect(chat.output.wait { $0.hasPrefix("http://") })
        let upstream = try #require(chat.output.lines.first)
        let pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: \(upstream)
            control: { socket: SOCKET }
            routes:
              - path: /poll
                hold: { channels: "{query.channel}", allow: ["room.*"] }
            """, in: directory)
        let browser = try TestClient(port: pollhold.port)
        let form = ["Content-Type": "application/x-www-form-urlencoded"]
        let login = try browser.request("POST", "/chat/login", body: Array("name=Ada".utf8), fields: form)
        #expect(login.status == 303)
        let cookie = (login["set-cookie"] ?? "").prefix { $0 != ";" }
        let page = try browser.request("GET", "/chat?room=garden", fields: ["Cookie": String(cookie)])
        #expect(page.text.contains("hold.js"))
        #expect(try browser.request("GET", "/chat/hold.js").text.contains("/poll"))
        let poll = try PollTests().held(pollhold, "/poll?channel=room.garden&after=now", on: "room.garden")
        let sent = try browser.request(
            "POST", "/chat/send", body: Array("room=garden&text=snails%21".utf8),
            fields: form.merging(["Cookie": String(cookie), "X-Requested-With": "XMLHttpRequest"]) { $1 })
        #expect(sent.status == 200)
        let data = try #require(try poll.response().messages.first?["data"] as? [String: Any])
        #expect(data["text"] as? String == "snails!")
        #expect(data["name"] as? String == "Ada")
        // The app goes on without Pollhold's socket, and its clients are told that it is away.
        chat.end()
        #expect(try browser.request("GET", "/chat").status == 502)
    }

    /// A port that was free a moment ago: PHP's server does not tell which one it takes.
    private static func freePort() throws -> UInt16 {
        let app = try TestApp { _, _ in "" }
        app.end()
        return app.port
    }

    @Test(.enabled(if: interpreter("php") != nil))
    func `what is said in the PHP chat reaches its old page at once, with the example's configuration`() throws {
        let directory = try TemporaryDirectory()
        let folder = Self.folder.appending(path: "legacy-chat-php")
        let port = try Self.freePort()
        let chat = try ExampleProcess(
            "php", ["-S", "127.0.0.1:\(port)", folder.appending(path: "chat.php").path],
            environment: ["CHAT_FILE": directory.path + "/messages"])
        defer { chat.end() }
        let example = try String(contentsOf: folder.appending(path: "pollhold.yaml"), encoding: .utf8)
        let pollhold = try PollholdProcess(
            example.replacing("127.0.0.1:8080", with: "127.0.0.1:0").replacing(":8000", with: ":\(port)")
                + "control: { socket: SOCKET }\n", in: directory)
        let browser = try TestClient(port: pollhold.port)
        try waitUntil("PHP listens") { try browser.request("GET", "/").status == 200 }
        let login = try browser.request("POST", "/login.php", body: Array("name=Ada".utf8), fields: RuleTests.form)
        let fields = ["Cookie": String((login["set-cookie"] ?? "").prefix { $0 != ";" })]
        #expect(try browser.request("GET", "/?room=kitchen", fields: fields).text.contains("setInterval(ask, 3000)"))
        let poll = try TestClient(port: pollhold.port)
        try poll.start("GET", "/updates.php?room=kitchen&since=0", fields: fields)
        try waitUntil("the poll is held") { try RecheckTests.figure(pollhold, "/updates.php", "held") == 1 }
        // The page's timer asks again, and the new question takes the place of the held one.
        let next = try TestClient(port: pollhold.port)
        try next.start("GET", "/updates.php?room=kitchen&since=0", fields: fields)
        #expect(try poll.response().text == "[]")
        let sent = try browser.request(
            "POST", "/send.php", body: Array("room=kitchen&text=cake%21".utf8),
            fields: fields.merging(RuleTests.form) { $1 })
        #expect(sent.status == 303)
        let news = try next.response()
        #expect((news.jsonArray.first as? [String: Any])?["text"] as? String == "cake!")
        #expect(try RecheckTests.figure(pollhold, "/updates.php", "questions") == 2)
    }

    @Test(.enabled(if: interpreter("systemd-analyze") != nil)) func `systemd takes the units as they are`() throws {
        let directory = try TemporaryDirectory()
        let names = ["pollhold.service", "pollhold.socket"]
        for name in names {
            let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
            try text.replacing("/usr/local/bin/pollhold", with: PollholdProcess.binary)
                .write(toFile: directory.path + "/" + name, atomically: true, encoding: .utf8)
        }
        let path = try #require(Self.interpreter("systemd-analyze"))
        let units = names.map { directory.path + "/" + $0 }
        let done = try Command.run(["verify", "--man=no"] + units, program: path)
        #expect(done.errors == "")
        #expect(done.status == 0)
    }

    @Test(.enabled(if: interpreter("python3") != nil && interpreter("curl") != nil))
    func `the demo measures the chat alone and held, shows a publish, and cleans up`() throws {
        let directory = try TemporaryDirectory()
        let demo = try Command.run(
            [Self.folder.appending(path: "demo.sh").path], program: "/bin/sh",
            environment: [
                "POLLHOLD": PollholdProcess.binary, "DEMO_SECONDS": "0", "DEMO_MEASURE": "8", "TMPDIR": directory.path,
            ], seconds: 120)
        #expect(demo.status == 0, "\(demo.errors)")
        let row = demo.output.split(separator: "\n").first { $0.hasPrefix("messages seen") } ?? ""
        let counts = row.split(separator: " ").compactMap { Int($0) }
        #expect(counts.count == 4 && counts[0] == counts[1] && counts[2] == counts[3], "\(row)")
        #expect(demo.output.contains("\"waiting\":1}"))
        #expect(demo.output.contains("\"data\":{\"text\":\"hello\"}"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path) == [])
    }
}

/// A program of the examples that runs until the test ends.
final class ExampleProcess {
    private let process = Process()
    let output: LineCollector

    init(_ program: String, _ arguments: [String], environment: [String: String]) throws {
        guard let path = ExamplesTests.interpreter(program) else { throw TestFailure("\(program) is missing") }
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        output = LineCollector(pipe.fileHandleForReading)
        try process.run()
        try? pipe.fileHandleForWriting.close()
    }

    func end() {
        guard process.isRunning else { return }
        // It may have been started with all signals blocked, as the threads of a test have them.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    deinit { end() }
}
