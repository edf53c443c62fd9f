import Foundation

/// A name server on loopback that knows one name, and is told what to say of it.
final class NameServer: @unchecked Sendable {
    private(set) var port: UInt16 = 0
    private let socket: OpenSocket
    private let lock = NSLock()
    private var address: [UInt8]?
    private var asked = 0

    /// - Parameter address: of IPv4 in its four parts; nil: there is no such name.
    init(address: [UInt8]?) throws {
        self.address = address
        let socket = OpenSocket(Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
        self.socket = socket
        var own = sockaddr_in()
        own.sin_family = sa_family_t(AF_INET)
        own.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &own) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                Glibc.bind(socket.number, address, length) == 0 && getsockname(socket.number, address, &length) == 0
            }
        }
        guard bound else { throw TestFailure("the test's name server can't listen") }
        port = UInt16(bigEndian: own.sin_port)
        Thread.detachNewThread { [weak self] in
            defer { socket.close() }
            var buffer = [UInt8](repeating: 0, count: 1500)
            // What is no question does not end it.
            while !socket.hasEnded {
                var peer = sockaddr_storage()
                var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
                let count = withUnsafeMutablePointer(to: &peer) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        recvfrom(socket.number, &buffer, buffer.count, 0, $0, &size)
                    }
                }
                guard count > 12, let answer = self?.answer(to: Array(buffer[..<count])) else { continue }
                _ = withUnsafeMutablePointer(to: &peer) {
                    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        sendto(socket.number, answer, answer.count, 0, $0, size)
                    }
                }
            }
        }
    }

    deinit { socket.end() }

    /// Questions so far.
    var count: Int { lock.withLock { asked } }

    func say(_ address: [UInt8]?) { lock.withLock { self.address = address } }

    /// RFC 1035 §4: the question comes back with one answer that holds for a second, or with none.
    private func answer(to question: [UInt8]) -> [UInt8] {
        let address = lock.withLock {
            asked += 1
            return self.address
        }
        var end = 12
        while end < question.count, question[end] != 0 { end += Int(question[end]) + 1 }
        let isIPv4 = end + 2 < question.count && question[end + 1] == 0 && question[end + 2] == 1
        let hasAnswer = isIPv4 && address != nil
        var reply =
            Array(question[0..<2]) + [0x81, address == nil ? 0x83 : 0x80, 0, 1, 0, hasAnswer ? 1 : 0, 0, 0, 0, 0]
        reply += question[12..<min(end + 5, question.count)]
        if hasAnswer, let address { reply += [0xC0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4] + address }
        return reply
    }
}
