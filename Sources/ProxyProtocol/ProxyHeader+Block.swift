/// Version 2: a signature, four bytes that say what follows and how long it is, addresses, and extensions as type,
/// length and value. Numbers are in network order.
import ByteText

extension ProxyHeader {
    /// The signature, version and command, family and transport, length.
    static let fixedByteCount = 16

    private enum Family: UInt8 {
        case unspecified = 0
        case ipv4 = 1
        case ipv6 = 2
        case unix = 3

        /// Both addresses and, but for Unix sockets, both ports.
        var addressByteCount: Int {
            switch self {
            case .unspecified: 0
            case .ipv4: 12
            case .ipv6: 36
            case .unix: 216
            }
        }
    }

    private enum Transport: UInt8 {
        case unspecified = 0
        case stream = 1
        case datagram = 2
    }

    static func readBlock(_ bytes: Span<UInt8>, _ bytesLimit: Int) throws(ProxyHeaderError) -> Reading {
        guard try isBehind("\r\n\r\n\0\r\nQUIT\n", bytes), bytes.count > 12 else { return .needsMore }
        guard bytes[12] >> 4 == 2 else { throw .unsupportedVersion }
        let isLocal = bytes[12] & 15 == 0
        guard isLocal || bytes[12] & 15 == 1 else { throw .unknownCommand }
        guard bytes.count > 13 else { return .needsMore }
        let family = Family(rawValue: bytes[13] >> 4)
        let transport = Transport(rawValue: bytes[13] & 15)
        // With LOCAL the rest is to be skipped, whatever it is.
        if !isLocal {
            guard family != nil else { throw .unknownFamily }
            guard transport != nil else { throw .unknownTransport }
        }
        guard bytes.count >= fixedByteCount else { return .needsMore }
        let length = fixedByteCount + Int(bytes.number16(at: 14))
        guard length <= bytesLimit else { throw .blockTooLong(limit: bytesLimit) }
        guard bytes.count >= length else { return .needsMore }
        // How long the addresses are is only known of a family and a transport; what comes with neither has no meaning.
        guard !isLocal, let family, family != .unspecified, transport != .unspecified else {
            return .whole(.keepsPeer, byteCount: length)
        }
        let block = bytes.extracting(0..<length)
        guard length >= fixedByteCount + family.addressByteCount else { throw .blockTooShort }
        try checkExtensions(block, from: fixedByteCount + family.addressByteCount)
        return .whole(transport == .stream ? relayed(block, family) : .keepsPeer, byteCount: length)
    }

    private static func relayed(_ block: Span<UInt8>, _ family: Family) -> ProxyHeader {
        switch family {
        case .ipv4:
            return .relayed(
                source: Endpoint(.ipv4(block.number32(at: 16)), port: block.number16(at: 24)),
                destination: Endpoint(.ipv4(block.number32(at: 20)), port: block.number16(at: 26)))
        case .ipv6:
            let source = Address.ipv6(high: block.number64(at: 16), low: block.number64(at: 24))
            let destination = Address.ipv6(high: block.number64(at: 32), low: block.number64(at: 40))
            return .relayed(
                source: Endpoint(source, port: block.number16(at: 48)),
                destination: Endpoint(destination, port: block.number16(at: 50)))
        case .unspecified, .unix:
            return .keepsPeer
        }
    }

    /// Extensions are passed over, but they have to fill the block exactly, and a checksum among them has to be right:
    /// a receiver that knows it must look at it.
    private static func checkExtensions(_ block: Span<UInt8>, from start: Int) throws(ProxyHeaderError) {
        let checksumType: UInt8 = 0x03
        var checksum: Int?
        var index = start
        while index < block.count {
            guard index + 3 <= block.count else { throw .malformedExtension }
            let value = index + 3
            let end = value + Int(block.number16(at: index + 1))
            guard end <= block.count else { throw .malformedExtension }
            if block[index] == checksumType {
                guard checksum == nil, end - value == 4 else { throw .malformedExtension }
                checksum = value
            }
            index = end
        }
        guard let checksum else { return }
        guard block.checksum(without: checksum..<checksum + 4) == block.number32(at: checksum) else {
            throw .wrongChecksum
        }
    }
}

extension Span<UInt8> {
    fileprivate func number16(at index: Int) -> UInt16 { UInt16(self[index]) << 8 | UInt16(self[index + 1]) }

    fileprivate func number32(at index: Int) -> UInt32 {
        UInt32(number16(at: index)) << 16 | UInt32(number16(at: index + 2))
    }

    fileprivate func number64(at index: Int) -> UInt64 {
        UInt64(number32(at: index)) << 32 | UInt64(number32(at: index + 4))
    }

    /// CRC32c (RFC 9260, appendix A) of these bytes, those of `hole` taken as zeros. Bit by bit: a block is short,
    /// comes once a connection and seldom has a checksum, so a table would not earn its kilobyte.
    fileprivate func checksum(without hole: Range<Int>) -> UInt32 {
        var rest = UInt32.max
        for index in 0..<count {
            rest ^= hole.contains(index) ? 0 : UInt32(self[index])
            for _ in 0..<8 { rest = rest >> 1 ^ (rest & 1 == 0 ? 0 : 0x82F6_3B78) }
        }
        return ~rest
    }
}
