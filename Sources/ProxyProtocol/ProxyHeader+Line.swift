/// Version 1: `PROXY TCP4 192.0.2.1 192.0.2.2 50000 80` and CRLF, with exactly one space where there is one.
import ByteText

extension ProxyHeader {
    /// The longest line that the protocol can write, with its CRLF.
    package static let lineBytesLimit = 107

    static func readLine(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> Reading {
        guard try isBehind("PROXY ", bytes) else { return .needsMore }
        guard let end = try endOfLine(bytes) else { return .needsMore }
        var fields = SpacedFields(bytes.extracting(6..<end))
        let header = try readFields(&fields)
        return .whole(header, byteCount: end + 2)
    }

    /// - Returns: offset of the CRLF, or nil if more bytes are needed.
    private static func endOfLine(_ bytes: Span<UInt8>) throws(ProxyHeaderError) -> Int? {
        for index in 6..<min(bytes.count, lineBytesLimit) {
            switch bytes[index] {
            case 0x0A: throw .bareLineFeed
            case 0x0D where index + 1 < lineBytesLimit:
                guard index + 1 < bytes.count else { return nil }
                guard bytes[index + 1] == 0x0A else { throw .bareCarriageReturn }
                return index
            default: break
            }
        }
        guard bytes.count < lineBytesLimit else { throw .lineTooLong(limit: lineBytesLimit) }
        return nil
    }

    private static func readFields(_ fields: inout SpacedFields) throws(ProxyHeaderError) -> ProxyHeader {
        let isFour: Bool
        switch fields.next() {
        // The sender may say more, which has no meaning.
        case .some(let range) where fields.text.extracting(range).equals("UNKNOWN"): return .keepsPeer
        case .some(let range) where fields.text.extracting(range).equals("TCP4"): isFour = true
        case .some(let range) where fields.text.extracting(range).equals("TCP6"): isFour = false
        default: throw .unknownProtocol
        }
        let source = try address(&fields, isFour)
        let destination = try address(&fields, isFour)
        let sourcePort = try port(&fields)
        let destinationPort = try port(&fields)
        guard fields.next() == nil else { throw .wrongFieldCount }
        return .relayed(
            source: Endpoint(source, port: sourcePort), destination: Endpoint(destination, port: destinationPort))
    }

    private static func address(_ fields: inout SpacedFields, _ isFour: Bool) throws(ProxyHeaderError) -> Address {
        guard let range = fields.next() else { throw .wrongFieldCount }
        let text = fields.text.extracting(range)
        if isFour {
            guard let address = text.ipv4Address else { throw .malformedAddress }
            return .ipv4(address)
        }
        // A sender's inet_ntop writes ::ffff:192.0.2.1 for an IPv4 client of an IPv6 socket, so that is accepted too.
        guard let address = text.ipv6Address else { throw .malformedAddress }
        return .ipv6(high: address.high, low: address.low)
    }

    /// 0 to 65535 without leading zeros.
    private static func port(_ fields: inout SpacedFields) throws(ProxyHeaderError) -> UInt16 {
        guard let range = fields.next() else { throw .wrongFieldCount }
        let text = fields.text.extracting(range)
        guard text.count <= 5, let number = text.decimalValue, number <= UInt64(UInt16.max),
            text.count == 1 || text[0] != 0x30
        else { throw .malformedPort }
        return UInt16(number)
    }
}

/// What stands between single spaces. Two spaces have an empty field between them.
private struct SpacedFields: ~Escapable {
    let text: Span<UInt8>
    private var start: Int? = 0

    @_lifetime(copy text)
    init(_ text: Span<UInt8>) { self.text = text }

    /// - Returns: the next field's place in `text`; nil behind the last one.
    mutating func next() -> Range<Int>? {
        guard let start else { return nil }
        let end = text.firstIndex(of: 0x20, from: start)
        self.start = end.map { $0 + 1 }
        return start..<(end ?? text.count)
    }
}
