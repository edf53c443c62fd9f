import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Testing

/// What one process tells another, as bytes and back.
struct HandoverRecordTests {
    static func name(_ text: String) throws -> ChannelName { try ChannelName(Array(text.utf8).span) }

    static func manner(_ keepsAlive: Bool) -> RequestManner {
        var manner = RequestManner()
        manner.isHTTP10 = true
        manner.keepsAlive = keepsAlive
        return manner
    }

    static func poll(_ key: [UInt8]?) throws -> HandedPoll {
        HandedPoll(
            path: "/poll", templates: ["{query.channel}", "b"], epoch: Epoch(random: 5),
            channels: [try name("a"), try name("b.c")], manner: manner(true), supersedeKey: key,
            startedAt: Moment(nanoseconds: -5), lastWord: Array("HTTP/1.1 200 OK\r\n\r\n".utf8), lastStatus: 200)
    }

    /// One of each, with all that is optional there and not there.
    static func all() throws -> [HandoverRecord] {
        let item = PublishItem(
            channel: try name("a"), payload: [1, 2, 3], kind: .binary, contentType: [0x61], key: [0x62])
        var hold = HandedHold(
            poll: try poll([7]), after: 42, isTrusted: true, isAuthorized: false, origin: .listed([0x63]),
            callback: [0x64])
        hold.grant = HandedGrant(credential: [1], until: Moment(nanoseconds: 9))
        let bare = HandedHold(
            poll: try poll(nil), after: .max, isTrusted: false, isAuthorized: true, origin: .any, callback: nil)
        let kept = KeptAnswer(nil, date: DateField(seconds: 0))
        var progress = RecheckProgress(end: Moment(nanoseconds: 6))
        progress.number = 3
        progress.askedAt = Moment(nanoseconds: 4)
        (progress.isFirst, progress.wasSignalled, progress.failures, progress.questions) = (false, true, 2, 9)
        progress.kept = kept
        let recheck = HandedRecheck(
            poll: try poll([]), requestBytes: Array("GET / HTTP/1.1\r\n\r\n".utf8), shareKey: [1], cookies: [2],
            server: "http://a", requestID: .made(high: 1, low: 2), comparesLast: true, progress: progress)
        var client = HandedConnection(.client, .hold(hold))
        client.peer = Peer(.network(IPAddress(ipv4: 0x7F00_0001)), isSecure: true)
        client.requestCount = 12
        client.input = [1, 2]
        client.output = [3]
        client.pollKey = ClientKey(client.peer.address)
        return [
            .format(1), .listener(address: "127.0.0.1:80", isAdopted: true), .listener(address: nil, isAdopted: false),
            .listenersEnd, .pool(.head(epoch: Epoch(random: 1), lastNumber: 2, forgottenThrough: 3)),
            .stored(PoolMark(epoch: Epoch(random: 1), number: 2)),
            .pool(.loss(try name("x"), through: 9)),
            .pool(.message(item, id: 4, lostBefore: 1, publishedAt: Moment(nanoseconds: 8))),
            .pool(.key([1], id: 2, at: Moment(nanoseconds: 3))), .pool(.taken(try name("x"), through: 1)),
            .connection(client), .connection(HandedConnection(.client, .hold(bare))),
            .connection(HandedConnection(.client, .recheck(recheck))),
            .connection(HandedConnection(.control, .idle(isNew: true, hasPreamble: false, speaksLines: true))),
            .late(.change(.publish([item, item]))), .late(.change(.signal(try name("y")))),
            .late(.change(.delete(try name("z")))), .late(.revocation([1])), .late(.revocation(nil)),
            .late(
                .change(
                    .giveBack([
                        TakenPosition(channel: try name("a"), before: nil),
                        TakenPosition(channel: try name("b"), before: 3),
                    ]))),
            .complete, .left, .prepared(store: "/var/lib/pollhold"), .prepared(store: nil), .taken, .failed("why\nnot"),
        ]
    }

    @Test func `each record is the same behind its way`() throws {
        for record in try Self.all() {
            let again = try HandoverRecord(record.bytes)
            #expect(again.bytes == record.bytes, "\(record)")
            #expect("\(again)" == "\(record)")
        }
    }

    @Test func `no part of a record is one, and nothing may stand behind it`() throws {
        for record in try Self.all() {
            let bytes = record.bytes
            for count in 0..<bytes.count {
                #expect(throws: RecordError.self) { try HandoverRecord(Array(bytes[..<count])) }
            }
            #expect(throws: RecordError.self) { try HandoverRecord(bytes + [0]) }
        }
        #expect(throws: RecordError.self) { try HandoverRecord([200]) }
    }

    @Test func `no bytes are too wild to be read`() throws {
        var random = SystemRandomNumberGenerator()
        for record in try Self.all() {
            for _ in 0..<200 {
                var bytes = record.bytes
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
                do { _ = try HandoverRecord(bytes) } catch is RecordError {}
            }
        }
    }
}
