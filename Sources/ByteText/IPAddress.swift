/// An IP address as one number. IPv4 stands in the block of IPv6 that is made for it (RFC 4291 §2.5.5.2), so
/// `::ffff:192.0.2.1` and `192.0.2.1` are the same address, and 16 bytes hold any of them.
package struct IPAddress: Hashable, Sendable {
    /// The address in host order, its first 64 bits and its last.
    package let high: UInt64
    package let low: UInt64

    private static let mapped: UInt64 = 0xFFFF_0000_0000

    package init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    package init(ipv4 number: UInt32) { self.init(high: 0, low: Self.mapped | UInt64(number)) }

    package var isIPv4: Bool { high == 0 && low & ~0xFFFF_FFFF == Self.mapped }

    /// The last 32 bits, which are the whole of an IPv4 address.
    package var ipv4: UInt32 { UInt32(truncatingIfNeeded: low) }

    /// This machine's own: 127.0.0.0/8 or ::1.
    package var isLoopback: Bool { isIPv4 ? ipv4 >> 24 == 127 : high == 0 && low == 1 }
}

/// Addresses that begin with the same bits, e.g. `10.0.0.0/8`.
package struct AddressRange: Hashable, Sendable {
    package let first: IPAddress
    /// Of 128 bits; of an IPv4 range 96 more than what is written.
    package let prefixBits: Int

    /// - Returns: nil for what is no address, or an address and a prefix with bits set behind the prefix: whoever
    ///   writes 10.1.0.0/8 may have meant either.
    package init?(_ text: Span<UInt8>) {
        let slash = text.firstIndex(of: 0x2F) ?? text.count
        guard let address = IPAddress(text.extracting(..<slash)) else { return nil }
        var bits = 128
        if slash < text.count {
            let written = text.extracting((slash + 1)...)
            guard written.count <= 3, let number = written.decimalValue, number <= (address.isIPv4 ? 32 : 128) else {
                return nil
            }
            bits = Int(number) + (address.isIPv4 ? 96 : 0)
        }
        first = address
        prefixBits = bits
        let mask = Self.mask(bits)
        guard address.high & ~mask.high == 0, address.low & ~mask.low == 0 else { return nil }
    }

    package func contains(_ address: IPAddress) -> Bool {
        let mask = Self.mask(prefixBits)
        return address.high & mask.high == first.high && address.low & mask.low == first.low
    }

    private static func mask(_ bits: Int) -> (high: UInt64, low: UInt64) {
        // A shift by the whole width gives zero, and one by a negative width goes the other way.
        (high: UInt64.max << UInt64(max(0, 64 - bits)), low: UInt64.max << UInt64(min(64, 128 - bits)))
    }
}
