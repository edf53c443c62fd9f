/// A small blocking HTTP client for the commands: one connection, one request after the other.
import ByteText
import Glibc
import HTTP1

/// What went wrong, in a sentence that names the place and what to look at.
struct ClientError: Error, CustomStringConvertible {
    let description: String
}

final class ControlClient {
    /// Where to connect: the control socket, or a URL of a hold route.
    enum Address {
        case socket(path: String)
        case network(host: String, port: UInt16)
    }

    private let descriptor: Int32
    private let name: String
    private var unread: [UInt8] = []

    init(_ address: Address) throws(ClientError) {
        switch address {
        case .socket(let path):
            name = path
            descriptor = try Self.connect(path: path)
        case .network(let host, let port):
            name = "\(host):\(port)"
            descriptor = try Self.connect(host: host, port: port)
        }
    }

    deinit { close(descriptor) }

    struct Response {
        let status: Int
        let body: [UInt8]
    }

    /// One request and its answer. A poll's answer may take as long as its hold.
    func request(
        _ method: StaticString, _ target: String, body: [UInt8]? = nil, fields: [(name: String, value: String)] = []
    ) throws(ClientError) -> Response {
        var writer = HTTPWriter()
        let target = Array(target.utf8)
        writer.requestLine(method, target.span)
        writer.field("Host", "pollhold")
        for field in fields {
            let (name, value) = (Array(field.name.utf8), Array(field.value.utf8))
            writer.field(name.span, value.span)
        }
        if let body { writer.field("Content-Length", decimal: UInt64(body.count)) }
        writer.endOfHead()
        try send(writer.bytes + (body ?? []))
        return try readResponse()
    }

    func send(_ bytes: [UInt8]) throws(ClientError) {
        var start = 0
        while start < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.send(
                    descriptor, bytes.baseAddress?.advanced(by: start), bytes.count - start, Int32(MSG_NOSIGNAL))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ClientError(description: "\(name): \(Self.systemReason)") }
            start += count
        }
    }

    /// The next line without its line feed; nil at the end.
    func readLine() throws(ClientError) -> [UInt8]? {
        while true {
            if let end = unread.firstIndex(of: 0x0A) {
                let line = Array(unread[..<end])
                unread.removeFirst(end + 1)
                return line
            }
            guard try fill() else { return nil }
        }
    }

    private func readResponse() throws(ClientError) -> Response {
        var reader = ResponseReader()
        var head = ResponseHead()
        var body: [UInt8] = []
        reader.awaitResponse(to: .get)
        while true {
            var position = 0
            let bytes = unread
            while true {
                let event: ResponseEvent
                do throws(ResponseError) {
                    event = try reader.next(bytes.span, &position, head: &head, limits: .responses)
                } catch {
                    throw ClientError(description: "\(name): the answer is no HTTP: \(error.reason)")
                }
                if case .content(let range) = event { body.append(contentsOf: bytes[range]) }
                if event == .end {
                    unread = Array(bytes[position...])
                    return Response(status: head.status, body: body)
                }
                if event == .needsMore { break }
            }
            unread = Array(bytes[position...])
            guard try fill() else { throw ClientError(description: "\(name): the connection ended before an answer") }
        }
    }

    private func fill() throws(ClientError) -> Bool {
        var part = [UInt8](repeating: 0, count: 65536)
        while true {
            let count = unsafe part.withUnsafeMutableBytes { unsafe recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ClientError(description: "\(name): \(Self.systemReason)") }
            unread.append(contentsOf: part[..<count])
            return count > 0
        }
    }

    // MARK: Connecting

    private static var systemReason: String { unsafe String(cString: strerror(errno)) }

    private static func connect(path: String) throws(ClientError) -> Int32 {
        let number = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count <= 107 else {
            throw ClientError(description: "\(path): a socket's path has 107 bytes at most")
        }
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        if result == 0 { return number }
        let code = errno
        close(number)
        throw ClientError(description: "\(path): \(hint(for: code))")
    }

    private static func hint(for code: Int32) -> String {
        let reason = unsafe String(cString: strerror(code))
        return switch code {
        case ENOENT: "\(reason); is the daemon running, and is this its control.socket? --socket names another"
        case ECONNREFUSED: "\(reason); the daemon that made this socket has ended"
        case EACCES: "\(reason); control.group and control.mode of the configuration say who may connect"
        default: reason
        }
    }

    private static func connect(host: String, port: UInt16) throws(ClientError) -> Int32 {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, String(port), &hints, &list) == 0 else {
            throw ClientError(description: "\(host): there is no such host")
        }
        defer { unsafe freeaddrinfo(list) }
        var entry = unsafe list
        while let candidate = unsafe entry {
            let number = unsafe socket(candidate.pointee.ai_family, Int32(SOCK_STREAM.rawValue), 0)
            if number >= 0 {
                let result = unsafe Glibc.connect(number, candidate.pointee.ai_addr, candidate.pointee.ai_addrlen)
                if result == 0 { return number }
                close(number)
            }
            unsafe entry = candidate.pointee.ai_next
        }
        throw ClientError(description: "\(host):\(port): \(systemReason)")
    }
}
