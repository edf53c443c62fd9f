import Foundation

/// A blocking HTTP/1.1 client with a reader of its own: a test must not trust the code that it tests.
final class TestClient {
    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var isOpen = true

    /// Seconds after which a product that doesn't answer fails the test.
    static let patience = 20

    /// - Parameters:
    ///   - receiveBytes: the size of the system's receive buffer, for a client that reads little at a time.
    ///   - host: the last byte of the address in 127.0.0.0/24 that the client has.
    init(port: UInt16, receiveBytes: Int32? = nil, from host: UInt8? = nil) throws {
        // A program that another test starts must not keep it: then closing it here would say nothing.
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if let host {
            var own = sockaddr_in()
            own.sin_family = sa_family_t(AF_INET)
            own.sin_addr.s_addr = in_addr_t(0x7F00_0000 | UInt32(host)).bigEndian
            _ = withUnsafePointer(to: &own) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
        }
        if var receiveBytes { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &receiveBytes, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            throw TestFailure("can't connect to port \(port): \(String(cString: strerror(errno)))")
        }
        prepare()
    }

    init(unix path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8.prefix(107))) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw TestFailure("can't connect to \(path): \(String(cString: strerror(errno)))") }
        prepare()
    }

    /// Waits so long for answers from now on.
    func setPatience(seconds: Int) {
        var limit = timeval(tv_sec: seconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    private func prepare() {
        signal(SIGPIPE, SIG_IGN)
        setPatience(seconds: Self.patience)
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, 4)
    }

    deinit { closeNow() }

    func closeNow() {
        if isOpen { close(descriptor) }
        isOpen = false
    }

    /// Breaks the connection (RST) instead of ending it.
    func reset() {
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        closeNow()
    }

    /// Says that no more will be sent (FIN) and can still read.
    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends what the system takes at once.
    ///
    /// - Returns: how many bytes that was.
    func sendSome(_ bytes: [UInt8]) -> Int {
        max(0, bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT)) })
    }

    /// Something has come that was not read, be it the end.
    var hasInput: Bool {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !buffer.isEmpty || Glibc.poll(&waiting, 1, 0) > 0
    }

    func send(_ bytes: [UInt8]) throws {
        var start = 0
        while start < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + start, $0.count - start) }
            guard count > 0 else { throw TestFailure("can't send: \(String(cString: strerror(errno)))") }
            start += count
        }
    }

    /// Whether bytes, or the end, have come within so many milliseconds.
    func hasBytes(within milliseconds: Int32) -> Bool {
        var events = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return !buffer.isEmpty || poll(&events, 1, milliseconds) > 0
    }

    /// Sends a request.
    func start(_ method: String, _ target: String, body: [UInt8]? = nil, fields: [String: String] = [:]) throws {
        var text = "\(method) \(target) HTTP/1.1\r\nHost: test\r\n"
        for (name, value) in fields.sorted(by: { $0.key < $1.key }) { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.count)\r\n" }
        try send(Array((text + "\r\n").utf8) + (body ?? []))
    }

    func request(_ method: String, _ target: String, body: [UInt8]? = nil, fields: [String: String] = [:]) throws
        -> TestResponse
    {
        try start(method, target, body: body, fields: fields)
        return try response(to: method)
    }

    /// Bytes until the peer ends; nil when it breaks the connection instead.
    func readToEnd() -> [UInt8]? {
        while true {
            do { if try !fill() { break } } catch { return nil }
        }
        defer { buffer = [] }
        return buffer
    }

    /// The next `count` bytes, or fewer if the peer ends.
    func read(count: Int) throws -> [UInt8] {
        while buffer.count < count, try fill() {}
        let taken = Array(buffer.prefix(count))
        buffer.removeFirst(taken.count)
        return taken
    }

    /// The next line without its end.
    func readLine() throws -> String {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let line = String(decoding: buffer[..<end], as: UTF8.self)
                buffer.removeFirst(end + 1)
                return line
            }
            guard try fill() else {
                throw TestFailure("the peer ended inside a line: \(String(decoding: buffer, as: UTF8.self))")
            }
        }
    }

    /// The next `count` bytes as text.
    func readText(count: Int) throws -> String { String(decoding: try read(count: count), as: UTF8.self) }

    /// The next response's head alone.
    func responseHead() throws -> TestResponse { try response(to: "HEAD") }

    /// The next response, interim ones too.
    func response(to method: String = "GET") throws -> TestResponse {
        let end: Int
        while true {
            if let found = headEnd() {
                end = found
                break
            }
            guard try fill() else {
                throw TestFailure("the peer ended before a response: \(String(decoding: buffer, as: UTF8.self))")
            }
        }
        let lines = String(decoding: buffer[..<(end - 4)], as: UTF8.self).components(separatedBy: "\r\n")
        buffer.removeFirst(end)
        var response = TestResponse(statusLine: lines[0])
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            response.fields.append(
                (parts[0].lowercased(), parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""))
        }
        if method == "HEAD" || response.status < 200 || response.status == 204 || response.status == 304 {
            return response
        }
        if let length = response["content-length"].flatMap({ Int($0) }) {
            response.body = try read(count: length)
            response.isCut = response.body.count < length
        } else if response["transfer-encoding"] == "chunked" {
            try readChunks(&response)
        } else {
            response.body = readToEnd() ?? []
        }
        return response
    }

    private func readChunks(_ response: inout TestResponse) throws {
        while true {
            guard let line = try? readLine(),
                let size = Int(line.trimmingCharacters(in: .whitespacesAndNewlines), radix: 16)
            else {
                response.isCut = true
                return
            }
            if size == 0 {
                while true {
                    let line = try readLine()
                    if line == "\r" { return }
                    response.trailers.append(line.trimmingCharacters(in: .whitespacesAndNewlines))
                }
            }
            let part = try read(count: size)
            response.body += part
            response.isCut = part.count < size
            if response.isCut { return }
            _ = try read(count: 2)
        }
    }

    private func headEnd() -> Int? {
        guard buffer.count >= 4 else { return nil }
        for index in 0...(buffer.count - 4)
        where buffer[index] == 13 && buffer[index + 1] == 10 && buffer[index + 2] == 13 && buffer[index + 3] == 10 {
            return index + 4
        }
        return nil
    }

    /// - Returns: false at the end of the input.
    private func fill() throws -> Bool {
        var part = [UInt8](repeating: 0, count: 262_144)
        let count = recv(descriptor, &part, part.count, 0)
        if count < 0 { throw TestFailure("no answer: \(String(cString: strerror(errno)))") }
        buffer += part[..<count]
        return count > 0
    }
}

struct TestResponse {
    let statusLine: String
    var fields: [(name: String, value: String)] = []
    var body: [UInt8] = []
    var trailers: [String] = []
    /// The connection ended before the body did.
    var isCut = false

    init(statusLine: String) { self.statusLine = statusLine }

    var status: Int { Int(statusLine.split(separator: " ").dropFirst().first ?? "") ?? 0 }
    var text: String { String(decoding: body, as: UTF8.self) }

    /// The body as a JSON object, empty if it is none.
    var json: [String: Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:] }
    var jsonArray: [Any] { (try? JSONSerialization.jsonObject(with: Data(body)) as? [Any]) ?? [] }

    subscript(name: String) -> String? { fields.first { $0.name == name }?.value }
    func all(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

    // What a poll was told.
    var cursor: String { json["cursor"] as? String ?? "" }
    var hasGap: Bool { json["gap"] as? Bool ?? false }
    var messages: [[String: Any]] { json["messages"] as? [[String: Any]] ?? [] }
    var ids: [String] { messages.compactMap { $0["id"] as? String } }
}
