/// A range of addresses: `192.0.2.1`, `10.0.0.0/8`, `fd00::/8`, or `unix` for clients on a Unix socket.
import Glibc

package struct AddressBlock: Hashable, Sendable {
    /// 4 or 16 bytes; empty for Unix sockets.
    private let bytes: [UInt8]
    /// Leading bits that count.
    private let length: Int

    package init?(_ text: String) {
        if text == "unix" {
            bytes = []
            length = 0
            return
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let first = parts.first, parts.count <= 2, let bytes = Self.numbers(String(first)) else { return nil }
        self.bytes = bytes
        guard parts.count == 2 else {
            length = bytes.count * 8
            return
        }
        guard let length = Int(parts[1]), (0...bytes.count * 8).contains(length) else { return nil }
        self.length = length
        // Bits behind the length mean nothing; written out they are a mistake.
        for index in length..<bytes.count * 8 where bytes[index / 8] & (0x80 >> UInt8(index % 8)) != 0 { return nil }
    }

    /// - Parameter client: an address in numbers; empty for a client on a Unix socket.
    package func contains(_ client: [UInt8]) -> Bool {
        if client.isEmpty { return bytes.isEmpty }
        guard let own = Self.numbers(String(decoding: client, as: UTF8.self)), own.count == bytes.count else {
            return false
        }
        for index in 0..<length {
            let bit = 0x80 >> UInt8(index % 8) as UInt8
            if own[index / 8] & bit != bytes[index / 8] & bit { return false }
        }
        return true
    }

    private static func numbers(_ text: String) -> [UInt8]? {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 { return unsafe withUnsafeBytes(of: &four) { unsafe Array($0) } }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        let bytes = unsafe withUnsafeBytes(of: &six) { unsafe Array($0) }
        // A peer of IPv4 on a socket of IPv6 is the same peer.
        let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
        return isMapped ? Array(bytes[12...]) : bytes
    }
}
