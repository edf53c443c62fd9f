import Foundation

/// An app behind the proxy that does what a test tells it, connection by connection, and keeps what it was sent.
final class TestApp: @unchecked Sendable {
    /// One connection as the app's handler sees it.
    final class Connection: @unchecked Sendable {
        private let socket: OpenSocket
        private var buffer: [UInt8] = []

        init(_ socket: OpenSocket) { self.socket = socket }

        var descriptor: Int32 { socket.number }

        /// The next request's head with its blank line; nil at the end.
        func readHead() -> String? { readHeadBytes().map { String(decoding: $0, as: UTF8.self) } }

        /// The same byte by byte.
        func readHeadBytes() -> [UInt8]? {
            var searched = 0
            while true {
                while searched + 4 <= buffer.count {
                    if buffer[searched + 3] == 10, buffer[searched + 2] == 13, buffer[searched + 1] == 10,
                        buffer[searched] == 13
                    {
                        let head = Array(buffer[..<(searched + 4)])
                        buffer.removeFirst(head.count)
                        return head
                    }
                    searched += 1
                }
                guard fill() else { return nil }
            }
        }

        func read(count: Int) -> [UInt8] {
            while buffer.count < count, fill() {}
            let taken = Array(buffer.prefix(count))
            buffer.removeFirst(taken.count)
            return taken
        }

        /// Everything until the peer ends its side or breaks the connection.
        func readToEnd() -> [UInt8] {
            while fill() {}
            return buffer
        }

        /// The next line without its end.
        func readLine() -> String {
            var line: [UInt8] = []
            while true {
                let byte = read(count: 1)
                if byte.isEmpty || byte == [10] { break }
                line += byte
            }
            return String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
        }

        /// A body by its framing, decoded.
        ///
        /// - Parameter keepsTrailers: the trailer section is left where it is, to be read by `readHead`; the last chunk
        ///   must have one.
        func readBody(of head: String, keepsTrailers: Bool = false) -> [UInt8] {
            let lower = head.lowercased()
            if let place = lower.firstRange(of: "\r\ncontent-length: ") {
                return read(count: Int(lower[place.upperBound...].prefix { $0.isNumber }) ?? 0)
            }
            guard lower.contains("\r\ntransfer-encoding: chunked") else { return [] }
            var body: [UInt8] = []
            while let size = Int(readLine(), radix: 16), size > 0 {
                body += read(count: size)
                _ = read(count: 2)
            }
            if !keepsTrailers { while !readLine().isEmpty {} }
            return body
        }

        @discardableResult
        func send(_ text: String) -> Bool { send(Array(text.utf8)) }

        /// - Returns: false if the peer takes no more.
        @discardableResult
        func send(_ bytes: [UInt8]) -> Bool {
            var start = 0
            while start < bytes.count {
                let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + start, $0.count - start) }
                if count <= 0 { return false }
                start += count
            }
            return true
        }

        /// Some bytes that came; empty at the end or when the peer has broken the connection.
        func receive() -> [UInt8] {
            if buffer.isEmpty { _ = fill() }
            defer { buffer = [] }
            return buffer
        }

        /// Whether the peer has neither ended its side nor broken the connection; its bytes stay where they are.
        var isOpen: Bool {
            // POLLRDHUP, which glibc shows only under _GNU_SOURCE.
            var events = pollfd(fd: descriptor, events: 0x2000, revents: 0)
            return poll(&events, 1, 0) == 0
        }

        /// Lets the close behind the handler be a break (RST) instead of an end.
        func breakOff() {
            socket.use { number in
                var abrupt = Glibc.linger(l_onoff: 1, l_linger: 0)
                _ = setsockopt(number, SOL_SOCKET, SO_LINGER, &abrupt, socklen_t(MemoryLayout<Glibc.linger>.size))
            }
        }

        /// Ends our side (FIN); what the peer sends can still be read.
        func finishSending() { socket.use { _ = shutdown($0, Int32(SHUT_WR)) } }

        func end() { socket.end() }

        /// Once its handler has returned.
        fileprivate func close() { socket.close() }

        private func fill() -> Bool {
            var part = [UInt8](repeating: 0, count: 262_144)
            let count = recv(descriptor, &part, part.count, 0)
            if count <= 0 { return false }
            buffer += part[..<count]
            return true
        }
    }

    private(set) var port: UInt16 = 0
    private let listener: OpenSocket
    /// Has the same port and never listens, so that nobody else is given it while this object is there: neither another
    /// test's app nor a client, also once the app has ended.
    private let place: OpenSocket
    private let lock = NSLock()
    private var heads: [String] = []
    private var connections = 0

    /// - Parameters:
    ///   - port: a port that an app before has left; 0: any.
    ///   - receiveBytes: the size of the system's receive buffers, for an app that reads little at a time.
    ///   - handler: called on a thread of its own for each connection; the connection is closed behind it.
    init(
        port wanted: UInt16 = 0, receiveBytes: Int32? = nil, handler: @escaping @Sendable (Connection, TestApp) -> Void
    ) throws {
        signal(SIGPIPE, SIG_IGN)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let listener = OpenSocket(socket(AF_INET, kind, 0))
        let place = OpenSocket(socket(AF_INET, kind, 0))
        self.listener = listener
        self.place = place
        if var receiveBytes { setsockopt(listener.number, SOL_SOCKET, SO_RCVBUF, &receiveBytes, 4) }
        var on: Int32 = 1
        for number in [listener.number, place.number] { setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, 4) }
        var address = sockaddr_in()
        address.sin_port = wanted.bigEndian
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        // Both are bound before the one listens: beside a listener nobody can have its port.
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(listener.number, address, length) == 0
                    && getsockname(listener.number, address, &length) == 0
                    && Glibc.bind(place.number, address, length) == 0 && Glibc.listen(listener.number, 1024) == 0
            }
        }
        guard bound else { throw TestFailure("the test's app can't listen") }
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [weak self] in
            defer { listener.close() }
            while true {
                let descriptor = accept4(listener.number, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
                guard descriptor >= 0 else {
                    if listener.hasEnded { return }
                    // A client that has broken off in the queue, or a moment without descriptors, is not the end.
                    poll(nil, 0, 1)
                    continue
                }
                let connection = Connection(OpenSocket(descriptor))
                guard let app = self else { return connection.close() }
                app.lock.withLock { app.connections += 1 }
                Thread.detachNewThread {
                    handler(connection, app)
                    connection.close()
                }
            }
        }
    }

    /// Answers every request on a connection in turn; `respond` gets the head and the body.
    convenience init(
        port: UInt16 = 0, respond: @escaping @Sendable (_ head: String, _ body: [UInt8]) -> String
    ) throws {
        try self.init(
            port: port,
            handler: { connection, app in
                while let head = connection.readHead() {
                    app.note(head)
                    let body = connection.readBody(of: head)
                    connection.send(respond(head, body))
                }
            })
    }

    deinit { end() }

    /// Stops listening; connections that are open go on.
    func end() { listener.end() }

    func note(_ head: String) { lock.withLock { heads.append(head) } }

    /// Heads of requests so far.
    var requests: [String] { lock.withLock { heads } }
    /// Connections accepted so far.
    var connectionCount: Int { lock.withLock { connections } }

    /// A plain response with a body.
    static func plain(_ body: String, fields: String = "") -> String {
        "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\(fields)\r\n\(body)"
    }
}

/// A socket that one thread works with and another may end. It is closed once, and nothing is done to it afterwards:
/// its number may be another test's then.
final class OpenSocket: @unchecked Sendable {
    let number: Int32
    private let lock = NSLock()
    private var isEnding = false
    private var isClosed = false

    init(_ number: Int32) { self.number = number }

    deinit { close() }

    var hasEnded: Bool { lock.withLock { isEnding } }

    /// Wakes who waits on it, for the last time.
    func end() {
        lock.withLock {
            isEnding = true
            if !isClosed { shutdown(number, Int32(SHUT_RDWR)) }
        }
    }

    func close() {
        lock.withLock {
            if !isClosed { Glibc.close(number) }
            isClosed = true
        }
    }

    /// Does something to it unless it is closed.
    func use(_ body: (Int32) -> Void) {
        lock.withLock {
            guard !isClosed else { return }
            body(number)
        }
    }
}

/// Something that one side of a test waits for and the other gives.
final class Barrier: @unchecked Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    /// - Returns: false if nobody opened it in time.
    @discardableResult
    func wait(seconds: Double = 20) -> Bool { semaphore.wait(timeout: .now() + seconds) == .success }
}

/// glibc shows it only under _GNU_SOURCE.
@_silgen_name("accept4")
private func accept4(
    _ listener: Int32, _ address: UnsafeMutablePointer<sockaddr>?, _ length: UnsafeMutablePointer<socklen_t>?,
    _ flags: Int32
) -> Int32
