/// IP addresses written in numbers (RFC 3986 §3.2.2, RFC 4291 §2.2). Strict, so that one text has one meaning.

extension Span<UInt8> {
    /// Four decimal numbers from 0 to 255 with dots between them and no leading zeros, which some read as octal; the
    /// first number is the highest byte. Nil for anything else.
    package var ipv4Address: UInt32? {
        guard count <= 15 else { return nil }
        var address: UInt32 = 0
        var parts = 0
        var start = 0
        while start <= count {
            let end = firstIndex(of: 0x2E, from: start) ?? count
            let part = extracting(start..<end)
            guard part.count <= 3, let number = part.decimalValue, number <= 255 else { return nil }
            guard part.count == 1 || part[0] != 0x30, parts < 4 else { return nil }
            address = address << 8 | UInt32(number)
            parts += 1
            start = end + 1
        }
        return parts == 4 ? address : nil
    }

    /// Eight groups of one to four hexadecimal digits with colons between them, one run of groups possibly left out as
    /// `::`, the last two groups possibly written as an IPv4 address. No brackets, no zone. Nil for anything else.
    package var ipv6Address: (high: UInt64, low: UInt64)? {
        guard count >= 2, count <= 45 else { return nil }
        var groups = IPv6Groups()
        var index = 0
        if self[0] == 0x3A {
            guard self[1] == 0x3A else { return nil }
            groups.markGap()
            index = 2
        }
        while index < count {
            let start = index
            while index < count, self[index].hexadecimalValue != nil { index += 1 }
            if index < count, self[index] == 0x2E {
                guard let tail = extracting(start..<count).ipv4Address else { return nil }
                groups.append(UInt16(tail >> 16))
                groups.append(UInt16(tail & 0xFFFF))
                break
            }
            guard index > start, index - start <= 4 else { return nil }
            groups.append(hexadecimalGroup(start..<index))
            guard index < count else { break }
            guard self[index] == 0x3A, index + 1 < count else { return nil }
            index += 1
            if self[index] == 0x3A {
                guard groups.gap == nil else { return nil }
                groups.markGap()
                index += 1
            }
        }
        return groups.address
    }

    /// - Parameter range: one to four hexadecimal digits.
    private func hexadecimalGroup(_ range: Range<Int>) -> UInt16 {
        var group: UInt16 = 0
        for index in range { group = group << 4 | UInt16(self[index].hexadecimalValue ?? 0) }
        return group
    }
}

/// The groups of an IPv6 address as they are read. Those past the eighth push the first ones out; the count tells.
private struct IPv6Groups {
    private var bits: UInt128 = 0
    private var count = 0
    /// How many groups stand before `::`.
    private(set) var gap: Int?

    mutating func append(_ group: UInt16) {
        bits = bits << 16 | UInt128(group)
        count += 1
    }

    mutating func markGap() { gap = count }

    /// `::` stands for one group at least.
    var address: (high: UInt64, low: UInt64)? {
        guard gap == nil ? count == 8 : count < 8 else { return nil }
        var whole = bits
        if let gap {
            let behind = 16 * (count - gap)
            whole = (bits >> behind) << (128 - 16 * gap) | bits & ((1 << behind) - 1)
        }
        return (UInt64(truncatingIfNeeded: whole >> 64), UInt64(truncatingIfNeeded: whole))
    }
}
