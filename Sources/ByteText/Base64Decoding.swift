/// Decoding base64 (RFC 4648 §4), strictly.

extension Span<UInt8> {
    /// The bytes that this base64 stands for; nil unless it is whole groups of four from the standard alphabet,
    /// padded with `=` and with no bits left over, so that one value has one spelling.
    package var base64Decoded: [UInt8]? {
        guard count % 4 == 0 else { return nil }
        var decoded: [UInt8] = []
        decoded.reserveCapacity(count / 4 * 3)
        var index = 0
        while index < count {
            let isLast = index + 4 == count
            let padding = isLast ? (self[index + 3] == 0x3D ? (self[index + 2] == 0x3D ? 2 : 1) : 0) : 0
            var group: UInt32 = 0
            for place in 0..<4 - padding {
                guard let value = Self.base64Value(self[index + place]) else { return nil }
                group |= UInt32(value) << UInt32(18 - 6 * place)
            }
            // Bits behind the last whole byte must be zero.
            guard padding == 0 || group & (padding == 1 ? 0xFF : 0xFFFF) == 0 else { return nil }
            decoded.append(UInt8(truncatingIfNeeded: group >> 16))
            if padding < 2 { decoded.append(UInt8(truncatingIfNeeded: group >> 8)) }
            if padding < 1 { decoded.append(UInt8(truncatingIfNeeded: group)) }
            index += 4
        }
        return decoded
    }

    private static func base64Value(_ letter: UInt8) -> UInt8? {
        switch letter {
        case 0x41...0x5A: letter - 0x41
        case 0x61...0x7A: letter - 0x61 + 26
        case 0x30...0x39: letter - 0x30 + 52
        case 0x2B: 62
        case 0x2F: 63
        default: nil
        }
    }
}
