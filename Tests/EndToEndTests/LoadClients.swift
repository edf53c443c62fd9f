import Foundation
import Reactor

/// Thousands of polling clients on one loop, each with its cursor, its channels and a reader of its own.
final class LoadClients {
    let loop: EventLoop
    let address: SocketAddress
    var random: Seeded
    /// Odds in 1000 that a client closes after an answer, and that it closes instead of waiting for one.
    var leavesPerMille = 0
    private(set) var clients: [LoadClient] = []
    private(set) var answers = 0
    private(set) var returns = 0
    /// Clients that stop after what they wait for.
    var isEnding = false
    private var closed: [LoadStream] = []
    /// The server may be gone: clients that lose it wait until they are brought back, each with its cursor.
    var serverMayEnd = false
    private var away: [LoadClient] = []
    private let room: CrowdRoom
    /// Which server this is; one more with each that ends.
    fileprivate(set) var generation = 0

    /// - Parameter crowd: how many there will be at most.
    convenience init(port: UInt16, seed: UInt64 = 1, crowd: Int) throws {
        guard let address = SocketAddress(numericHost: "127.0.0.1", port: port) else { throw TestFailure("no address") }
        try self.init(address: address, seed: seed, crowd: crowd)
    }

    init(address: SocketAddress, seed: UInt64, crowd: Int) throws {
        room = try CrowdRoom(crowd)
        loop = try EventLoop()
        self.address = address
        random = Seeded(state: seed)
        Self.raiseDescriptorLimit()
    }

    static func raiseDescriptorLimit() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Descriptors that this process may have.
    static var descriptorLimit: Int {
        raiseDescriptorLimit()
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Adds a client and lets it poll.
    func add(channels: [String]) throws {
        let client = LoadClient(number: clients.count, channels: channels)
        clients.append(client)
        try connect(client)
    }

    func connect(_ client: LoadClient) throws {
        client.stream = LoadStream(self, client, socket: try StreamSocket(to: address))
    }

    /// Runs until `condition` holds; fails when it doesn't in time.
    func run(until what: String, seconds: Double = 120, _ condition: () throws -> Bool) throws {
        let end = Date().addingTimeInterval(seconds)
        // A timer wakes the loop, so that the condition is looked at also when nothing happens.
        var timer: LoopTimer?
        timer = LoopTimer(loop: loop) { [unowned self] in timer?.set(loop.now + 20_000_000) }
        timer?.set(loop.now + 20_000_000)
        defer { timer?.set(nil) }
        while try !condition() {
            guard Date() < end else { throw TestFailure("never: \(what)") }
            loop.runTurn()
            closed = []
        }
    }

    /// All clients go away.
    func closeAll(reset: Bool) {
        for client in clients {
            client.stream?.close(reset: reset)
            client.stream = nil
        }
    }

    fileprivate func answered(_ client: LoadClient) {
        answers += 1
        if isEnding { return leave(client, returning: false) }
        let dice = Int.random(in: 0..<1000, using: &random)
        if dice < leavesPerMille { return leave(client, returning: true) }
        client.stream?.poll()
        // The odd one closes right behind its request, while it is held or just being answered.
        if dice < 2 * leavesPerMille { leave(client, returning: true) }
    }

    fileprivate func lost(_ client: LoadClient) {
        if isEnding { return }
        leave(client, returning: !serverMayEnd)
        if serverMayEnd { away.append(client) }
    }

    /// The server has ended and another is there.
    func newServer() { generation += 1 }

    /// No client has a connection to an earlier server any more.
    var haveAllNoticed: Bool {
        for client in clients {
            if let stream = client.stream, stream.generation != generation { return false }
        }
        return true
    }

    /// Lets clients whose server has gone poll again.
    func bringBack() throws {
        let clients = away
        away = []
        for client in clients {
            returns += 1
            try connect(client)
        }
    }

    private func leave(_ client: LoadClient, returning: Bool) {
        if let stream = client.stream {
            stream.close(reset: true)
            closed.append(stream)
        }
        client.stream = nil
        guard returning else { return }
        returns += 1
        do {
            try connect(client)
        } catch {
            if serverMayEnd { away.append(client) } else { client.failures.append("can't come back: \(error)") }
        }
    }
}

final class LoadClient {
    let number: Int
    let channels: [String]
    fileprivate(set) var stream: LoadStream?
    fileprivate(set) var cursor = ""
    /// Ids in the order in which they came.
    fileprivate(set) var ids: [UInt64] = []
    fileprivate(set) var gaps = 0
    fileprivate(set) var failures: [String] = []

    init(number: Int, channels: [String]) {
        self.number = number
        self.channels = channels
    }
}

final class LoadStream: ByteStream {
    private unowned let owner: LoadClients
    private unowned let client: LoadClient
    fileprivate let generation: Int

    init(_ owner: LoadClients, _ client: LoadClient, socket: consuming StreamSocket) {
        generation = owner.generation
        self.owner = owner
        self.client = client
        super.init(loop: owner.loop, socket: socket)
        poll()
    }

    func poll() {
        let query = client.channels.map { "channel=\($0)" }.joined(separator: "&")
        let after = client.cursor.isEmpty ? "" : "&after=\(client.cursor)"
        let request = Array("GET /poll?\(query)\(after) HTTP/1.1\r\nHost: t\r\n\r\n".utf8)
        send(shared: request)
    }

    override func received(_ bytes: Span<UInt8>) -> Int {
        let answer = bytes.withUnsafeBufferPointer { LoadAnswer(UnsafeRawBufferPointer($0)) }
        guard let answer else { return 0 }
        if answer.status != 200 { client.failures.append("status \(answer.status)") }
        client.cursor = answer.cursor
        client.ids += answer.ids
        if answer.hasGap { client.gaps += 1 }
        let count = answer.count
        owner.answered(client)
        return count
    }

    override func inputEnded(_ end: End) { owner.lost(client) }
}

/// An answer as far as the load test needs it; nil while it isn't whole.
private struct LoadAnswer {
    let status: Int
    var cursor = ""
    var ids: [UInt64] = []
    var hasGap = false
    let count: Int

    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let head = Self.find("\r\n\r\n", bytes, 0), let field = Self.find("Content-Length: ", bytes, 0),
            field < head,
            let length = Self.number(bytes, field + 16), head + 4 + length <= bytes.count
        else { return nil }
        status = Self.number(bytes, 9) ?? 0
        count = head + 4 + length
        let body = UnsafeRawBufferPointer(rebasing: bytes[(head + 4)..<count])
        guard status == 200, let start = Self.find("\"cursor\":\"", body, 0),
            let end = Self.find("\"", body, start + 10)
        else { return }
        cursor = String(decoding: body[(start + 10)..<end], as: UTF8.self)
        hasGap = Self.find("\"gap\":true", body, end) != nil
        var place = end
        while let next = Self.find("{\"id\":\"", body, place) {
            if let id = Self.number(body, next + 7) { ids.append(UInt64(id)) }
            place = next + 7
        }
    }

    private static func find(_ text: StaticString, _ bytes: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        guard let base = bytes.baseAddress, from < bytes.count,
            let found = memmem(base + from, bytes.count - from, text.utf8Start, text.utf8CodeUnitCount)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, _ from: Int) -> Int? {
        var value = 0
        var index = from
        while index < bytes.count, bytes[index] >= 0x30, bytes[index] <= 0x39 {
            value = value * 10 + Int(bytes[index] - 0x30)
            index += 1
        }
        return index > from ? value : nil
    }
}

/// SplitMix64: one seed gives one run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// glibc shows it only under _GNU_SOURCE.
@_silgen_name("memmem")
private func memmem(_ bytes: UnsafeRawPointer, _ count: Int, _ part: UnsafeRawPointer, _ partCount: Int)
    -> UnsafeMutableRawPointer?
