import Foundation

/// An app that knows nothing of Pollhold: rooms with messages, a form to send one, and an endpoint that says at once
/// what is new since a number.
final class RoomApp: @unchecked Sendable {
    private let lock = NSLock()
    private var rooms: [String: [String]] = [:]
    private var running = 0
    private var mostRunning = 0
    /// Requests that it has, worked on or not.
    private var present = 0
    private var mostInFront = 0
    private var updates = 0
    private let places: DispatchSemaphore
    private let faults: @Sendable (Int) -> Bool
    /// Requests that carry out their work wait here, while it is set.
    private var gate: Barrier?
    private var connections: [TestApp.Connection] = []
    private(set) var server: TestApp!

    /// - Parameters:
    ///   - workers: requests that are worked on at a time; others wait, as in front of a server that forks.
    ///   - faults: whether the app closes instead of answering a poll, by the number of the poll.
    ///   - work: seconds that one request takes.
    ///   - fields: of each answer to a poll, by its request's head.
    init(
        workers: Int = 10_000, work: Double = 0, faults: @escaping @Sendable (Int) -> Bool = { _ in false },
        fields: @escaping @Sendable (String) -> String = { _ in "" }
    ) throws {
        places = DispatchSemaphore(value: workers)
        self.faults = faults
        server = try TestApp(handler: { [weak self] connection, server in
            self?.note(connection)
            while let head = connection.readHead() {
                server.note(head)
                let body = String(decoding: connection.readBody(of: head), as: UTF8.self)
                guard let app = self else { return }
                guard let answer = app.respond(head, body, work, fields) else { return connection.end() }
                connection.send(answer)
            }
        })
    }

    private func note(_ connection: TestApp.Connection) { lock.withLock { connections.append(connection) } }

    /// Stops, and breaks the connections that are open.
    func crash() {
        server.end()
        for connection in lock.withLock({ connections }) { connection.end() }
    }

    var port: UInt16 { server.port }
    /// Polls that the app was asked.
    var polls: Int { lock.withLock { updates } }
    /// The most requests that it worked on at a time.
    var peak: Int { lock.withLock { mostRunning } }
    /// The most requests that it had when one came that is no poll: so long is the line in which that one stands.
    var longestLine: Int { lock.withLock { mostInFront } }

    func holdBack(by gate: Barrier?) { lock.withLock { self.gate = gate } }

    /// A message that nobody tells Pollhold of.
    func add(_ room: String, _ text: String) { lock.withLock { rooms[room, default: []].append(text) } }

    private func respond(_ head: String, _ body: String, _ work: Double, _ fields: (String) -> String) -> String? {
        let words = head.split(separator: " ")
        let target = URLComponents(string: String(words[1]))
        let query = Dictionary(
            (target?.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
        lock.withLock {
            if target?.path == "/page" { mostInFront = max(mostInFront, present) }
            present += 1
        }
        defer { lock.withLock { present -= 1 } }
        places.wait()
        defer { places.signal() }
        let gate = lock.withLock {
            running += 1
            mostRunning = max(mostRunning, running)
            return self.gate
        }
        defer { lock.withLock { running -= 1 } }
        gate?.wait()
        if work > 0 { poll(nil, 0, Int32(work * 1000)) }
        switch target?.path {
        case "/send":
            let form = Self.form(body)
            lock.withLock { rooms[form["room"] ?? "", default: []].append(form["text"] ?? "") }
            return "HTTP/1.1 303 See Other\r\nLocation: /\r\nContent-Length: 0\r\n\r\n"
        case "/updates":
            let asked = words[0] == "POST" ? Self.form(body) : query
            if faults(polls) {
                lock.withLock { updates += 1 }
                return nil
            }
            let texts = lock.withLock {
                updates += 1
                return (rooms[asked["room"] ?? ""] ?? []).dropFirst(Int(asked["since"] ?? "") ?? 0)
            }
            let list = texts.map { "\"\($0)\"" }.joined(separator: ",")
            return TestApp.plain("[\(list)]", fields: "Content-Type: application/json\r\n" + fields(head))
        case "/state":
            let state = lock.withLock {
                updates += 1
                return (rooms[query["room"] ?? ""] ?? []).joined(separator: "\n")
            }
            return TestApp.plain("state: \(state)", fields: fields(head))
        default: return TestApp.plain("page")
        }
    }

    private static func form(_ body: String) -> [String: String] {
        let items = URLComponents(string: "?\(body)")?.queryItems ?? []
        return Dictionary(items.map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { $1 })
    }
}
