/// The PROXY header: its beginnings want more until there is an outcome, which then stays; and what was read can be
/// written and read again in both versions.
import ProxyProtocol

enum ProxyHeaderLaws {
    private enum Outcome: Equatable {
        case needsMore
        case whole(ProxyHeader, byteCount: Int)
        case refused(ProxyHeaderError)
    }

    static func check(_ bytes: [UInt8]) throws {
        let outcome = read(bytes, bytes.count)
        // Looking at every beginning of long bytes would be quadratic.
        let step = max(1, bytes.count / 300)
        var settled = false
        for count in stride(from: 0, to: bytes.count, by: step) {
            let found = read(bytes, count)
            if found == .needsMore {
                try require(!settled, "wants more at \(count) bytes than it wanted before")
            } else {
                settled = true
                try require(found == outcome, "at \(count) bytes \(found), of all \(outcome)")
            }
        }
        guard case .whole(let header, let byteCount) = outcome else { return }
        try require(byteCount <= bytes.count && byteCount <= ProxyHeader.defaultBytesLimit, "\(byteCount) bytes")
        try require(read(bytes, byteCount) == outcome, "the header alone is another one")
        if byteCount > 0 { try require(read(bytes, byteCount - 1) == .needsMore, "it does not end at its last byte") }
        guard case .relayed(let source, let destination) = header else { return }
        for written in [line(source, destination), block(source, destination)] {
            try require(
                read(written, written.count) == .whole(header, byteCount: written.count),
                "written anew as \(written) it is another header than \(header)")
        }
    }

    private static func read(_ bytes: [UInt8], _ count: Int) -> Outcome {
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.read(bytes.span.extracting(0..<count)) {
            case .needsMore: return .needsMore
            case .whole(let header, let byteCount): return .whole(header, byteCount: byteCount)
            }
        } catch {
            return .refused(error)
        }
    }

    private static func line(_ source: ProxyHeader.Endpoint, _ destination: ProxyHeader.Endpoint) -> [UInt8] {
        func text(_ address: ProxyHeader.Address) -> String {
            let bytes = Self.bytes(of: address)
            guard bytes.count == 16 else { return bytes.map { "\($0)" }.joined(separator: ".") }
            return stride(from: 0, to: 16, by: 2).map {
                String(UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]), radix: 16)
            }.joined(separator: ":")
        }
        let protocolName = bytes(of: source.address).count == 4 ? "TCP4" : "TCP6"
        let addresses = "\(text(source.address)) \(text(destination.address))"
        return Array("PROXY \(protocolName) \(addresses) \(source.port) \(destination.port)\r\n".utf8)
    }

    private static func block(_ source: ProxyHeader.Endpoint, _ destination: ProxyHeader.Endpoint) -> [UInt8] {
        let addresses = bytes(of: source.address) + bytes(of: destination.address)
        let ports = [source.port, destination.port].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        return Array("\r\n\r\n\0\r\nQUIT\n".utf8) + [0x21, addresses.count == 8 ? 0x11 : 0x21, 0]
            + [UInt8(addresses.count + 4)] + addresses + ports
    }

    private static func bytes(of address: ProxyHeader.Address) -> [UInt8] {
        func bytes(_ number: UInt64, _ count: Int) -> [UInt8] {
            (0..<count).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (count - 1 - $0))) }
        }
        switch address {
        case .ipv4(let number): return bytes(UInt64(number), 4)
        case .ipv6(let high, let low): return bytes(high, 8) + bytes(low, 8)
        }
    }
}
