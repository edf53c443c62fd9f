import ByteText
import Foundation
import Gateway
import HTTP1
import JSONText
import Testing

/// The access log's lines, and that nothing that anybody says can make two of one.
struct AccessFormatTests {
    static let client = ClientAddress.network(IPAddress(ipv4: 0xC000_0201))

    func line(
        _ format: AccessFormat, _ request: String = "GET /a?b=c HTTP/1.1\nHost: a\nReferer: http://r/\nUser-Agent: t/1",
        id: RequestID? = .made(high: 1, low: 0xABC), _ change: (inout AccessOutcome) -> Void = { _ in }
    ) throws -> String {
        var time = LogTime()
        let entry = try withRequest(request) { head in
            format.begin(
                head, client: Self.client, requestID: id, time: (1_795_517_225, 7), &time, startedAt: 1_000_000_000,
                receivedFor: 3_000_000)
        }
        var outcome = AccessOutcome(status: 200, bytes: 42, end: .complete, endedAt: 1_060_999_999)
        change(&outcome)
        return String(decoding: AccessFormat.line(entry, outcome), as: UTF8.self)
    }

    static let record: ExchangeRecord = {
        var record = ExchangeRecord()
        record.requestBytes = 11
        record.server = 0
        record.attempts = 2
        record.begunAt = 1_000_000_000
        record.assignedAt = 1_010_000_000
        record.connectedAt = 1_012_500_000
        record.respondedAt = 1_050_000_000
        return record
    }()

    @Test func `the combined line is Apache's and nginx', with more behind it`() throws {
        #expect(
            try line(.combined) == """
                192.0.2.1 - - [24/Nov/2026:10:47:05 +0000] "GET /a?b=c HTTP/1.1" 200 42 "http://r/" "t/1" \
                request_id=00000000000000010000000000000abc bytes_in=0 received=3ms total=63ms end=complete

                """)
        let proxied = try line(.combined, "POST / HTTP/1.0\nHost: a", id: nil) {
            $0.record = Self.record
            $0.server = "127.0.0.1:8000"
        }
        #expect(
            proxied == """
                192.0.2.1 - - [24/Nov/2026:10:47:05 +0000] "POST / HTTP/1.0" 200 42 "-" "-" bytes_in=11 received=3ms \
                queued=10ms connect=2ms first_byte=37ms total=63ms server=127.0.0.1:8000 attempts=2 end=complete

                """)
        let poll = try line(.combined, id: nil) { 
            $0.poll = PollOutcome(.hold(.message, messages: 3), releasedAt: $0.endedAt)
        }
        #expect(
            poll.hasSuffix(" bytes_in=0 received=3ms total=63ms end=complete held=60ms released=message messages=3\n"))
    }

    @Test func `the JSON line says the same`() throws {
        let text = try line(.json) {
            $0.record = Self.record
            $0.server = "127.0.0.1:8000"
            $0.end = .cut(.disconnected)
            $0.poll = PollOutcome(.hold(.gap, messages: 3), releasedAt: $0.endedAt)
        }
        #expect(text.hasSuffix("}\n"))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary)
        #expect(
            object == [
                "time": "2026-11-24T10:47:05.007Z", "client": "192.0.2.1", "method": "GET", "target": "/a?b=c",
                "protocol": "HTTP/1.1", "status": 200, "bytes": 42, "referer": "http://r/", "user_agent": "t/1",
                "request_id": "00000000000000010000000000000abc", "bytes_in": 11, "received_ms": 3, "queued_ms": 10,
                "connect_ms": 2, "first_byte_ms": 37, "total_ms": 63, "server": "127.0.0.1:8000", "attempts": 2,
                "end": "cut_disconnected", "held_ms": 60, "released": "gap", "messages": 3,
            ])
    }

    @Test func `a poll's course is told in both forms`() throws {
        func ending(_ format: AccessFormat, _ course: PollOutcome.Course) throws -> String {
            let text = try line(format, id: nil) {
                $0.poll = PollOutcome(course, releasedAt: 1_020_000_000)
            }
            let end = try #require(text.firstRange(of: format == .combined ? "end=complete" : #""end":"complete""#))
            return text[end.upperBound...].trimmingCharacters(in: .newlines)
        }
        let signal = PollOutcome.Course.recheck(RecheckExchange.Ending(.signal, questions: 2))
        #expect(try ending(.combined, signal) == " held=20ms released=signal questions=2")
        #expect(try ending(.json, signal) == #","held_ms":20,"released":"signal","questions":2}"#)
        #expect(try ending(.combined, .passed) == " held=20ms released=passed questions=0")
        #expect(try ending(.json, .passed) == #","held_ms":20,"released":"passed","questions":0}"#)
        #expect(try ending(.combined, .observed(.spared)) == " observed=spared")
        #expect(try ending(.json, .observed(.woken)) == #","observed":"woken"}"#)
    }

    @Test func `how far a request came is how many times it has`() throws {
        func times(_ change: (inout ExchangeRecord) -> Void) throws -> String {
            var record = Self.record
            change(&record)
            let text = try line(.combined, id: nil) { $0.record = record }
            return text.split(separator: " ").filter { $0.hasSuffix("ms") }.joined(separator: " ")
        }
        #expect(try times { $0.respondedAt = nil } == "received=3ms queued=10ms connect=2ms total=63ms")
        #expect(try times { $0.connectedAt = nil } == "received=3ms queued=10ms total=63ms")
        #expect(try times { $0.assignedAt = nil } == "received=3ms queued=60ms total=63ms")
        // Held for 20 ms before the app was asked.
        #expect(
            try times { ($0.begunAt, $0.assignedAt) = (1_020_000_000, 1_020_000_000) }
                == "received=3ms queued=0ms connect=0ms first_byte=37ms total=63ms")
    }

    @Test func `a request that could not be read is one line too`() throws {
        var time = LogTime()
        for (format, expected) in [
            (
                AccessFormat.combined,
                #"unix: - - [01/Jan/1970:00:00:00 +0000] "-" 400 9 "-" "-" bytes_in=0 received=5ms total=6ms end=refused"#
            ),
            (
                .json,
                #"{"time":"1970-01-01T00:00:00.999Z","client":"unix:","method":null,"target":null,"protocol":null,"status":400,"bytes":9,"referer":null,"user_agent":null,"bytes_in":0,"received_ms":5,"total_ms":6,"end":"refused"}"#
            ),
        ] {
            let entry = format.beginUnread(
                client: .unix, time: (0, 999), &time, startedAt: 10_000_000, receivedFor: 5_000_000)
            let outcome = AccessOutcome(status: 400, bytes: 9, end: .refused, endedAt: 11_000_000)
            #expect(String(decoding: AccessFormat.line(entry, outcome), as: UTF8.self) == expected + "\n")
        }
    }

    @Test func `each end has a word of its own`() {
        let ends: [ExchangeRecord.End] =
            [.complete, .clientGone, .refused, .clientTimeout, .tunnelTimeout, .shutdown]
            + ProxyFailure.allCases.flatMap { [.failed($0), .cut($0)] }
        let words = ends.map(\.text)
        #expect(Set(words).count == words.count)
        for word in words { #expect(word.allSatisfy { $0.isLetter && $0.isLowercase || $0 == "_" }, "\(word)") }
    }

    /// Every byte that a head may have, in every place of a line that somebody else fills.
    @Test(arguments: [AccessFormat.combined, .json]) func `no byte breaks a line`(format: AccessFormat) throws {
        var seen = 0
        for byte in UInt8.min...UInt8.max {
            for place in 0..<4 {
                var text = Array("GET /x HTTP/1.1\r\nHost: a\r\nReferer: r\r\nUser-Agent: u\r\n\r\n".utf8)
                let offsets = ["/x", "r\r\nUser", "u\r\n\r\n", "GET"]
                let wanted = Array(offsets[place].utf8)
                guard let start = (0..<text.count).first(where: { text[$0...].starts(with: wanted) }) else {
                    throw TestFailure("no place \(place)")
                }
                text.insert(
                    contentsOf: [0x3E, byte, 0x3C].filter { place < 3 || $0 == byte }, at: start + (place == 0 ? 1 : 0))
                var head = RequestHead()
                var reader = RequestReader()
                var position = 0
                do throws(HTTPError) {
                    guard try reader.next(text.span, &position, head: &head, limits: HeadLimits()) == .head else {
                        continue
                    }
                } catch {
                    continue
                }
                seen += 1
                var time = LogTime()
                let entry = format.begin(
                    head, client: Self.client, requestID: nil, time: (0, 0), &time, startedAt: 0, receivedFor: 0)
                // The app's address comes from the configuration, and a path may hold anything.
                var outcome = AccessOutcome(status: 200, bytes: 0, end: .complete, endedAt: 0)
                outcome.record = Self.record
                outcome.server = "unix:/a " + String(decoding: [byte], as: UTF8.self) + "\"z"
                try expectOneLine(AccessFormat.line(entry, outcome), format)
            }
        }
        #expect(seen > 600)
    }

    private func expectOneLine(_ line: [UInt8], _ format: AccessFormat) throws {
        #expect(line.last == 0x0A)
        #expect(!line.dropLast().contains { $0 < 0x20 || $0 == 0x7F })
        let text = try #require(String(validating: line.dropLast(), as: UTF8.self))
        #expect(!text.unicodeScalars.contains { (0x7F...0x9F).contains($0.value) || $0 == "\u{2028}" })
        switch format {
        case .combined:
            let form =
                /^192\.0\.2\.1 - - \[[^\]]+\] "[^ "]+ [^ "]+ HTTP\/1\.1" 200 0 "[^"]*" "[^"]*"( [a-z_]+=[^ "]+)+$/
            #expect(text.wholeMatch(of: form) != nil, "\(text)")
            #expect(text.utf8.allSatisfy { $0 < 0x80 })
        case .json:
            let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
            #expect(object?.count == 18, "\(text)")
        }
    }

    @Test(arguments: [
        (0, "01/Jan/1970:00:00:00 +0000"), (951_782_399, "28/Feb/2000:23:59:59 +0000"),
        (951_782_400, "29/Feb/2000:00:00:00 +0000"), (4_107_542_399, "28/Feb/2100:23:59:59 +0000"),
    ]) func `the time is the wall clock's`(seconds: Int64, text: String) throws {
        var time = LogTime()
        for format in [AccessFormat.combined, .json, .combined] {
            let entry = format.beginUnread(client: .unix, time: (seconds, 5), &time, startedAt: 0, receivedFor: 0)
            let outcome = AccessOutcome(status: 400, bytes: 0, end: .refused, endedAt: 0)
            let line = String(decoding: AccessFormat.line(entry, outcome), as: UTF8.self)
            let iso = Date(timeIntervalSince1970: TimeInterval(seconds)).ISO8601Format().dropLast()
            #expect(line.contains(format == .json ? "\"\(iso).005Z\"" : "[\(text)]"))
        }
    }
}
