/// A set of ASCII bytes as two machine words, so that membership is a shift and needs no table in memory.
struct ByteSet {
    /// Bit n stands for byte n.
    let low: UInt64
    /// Bit n stands for byte 64 + n. Bytes from 128 on are never members.
    let high: UInt64

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let word = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (word &>> UInt64(byte & 0x3F)) & 1 != 0
    }

    /// `tchar` of RFC 9110 §5.6.2: letters, digits and ``!#$%&'*+-.^_`|~``.
    @inline(__always)
    static var token: ByteSet { ByteSet(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }

    /// What may stand in a request target: every visible ASCII byte but `#`. Browsers send `|`, `^`, braces and the
    /// like unencoded in queries, so RFC 3986 is not applied to the letter; bytes from 128 on are refused.
    @inline(__always)
    static var target: ByteSet { ByteSet(low: 0xFFFF_FFF6_0000_0000, high: 0x7FFF_FFFF_FFFF_FFFF) }

    /// `unreserved` and `sub-delims` of RFC 3986 §2 but the comma, which in a host can only be an attempt at a list.
    @inline(__always)
    static var hostName: ByteSet { ByteSet(low: 0x2BFF_6FD2_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
}
