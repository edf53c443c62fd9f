/// Addresses in text: read as they stand alone or as proxies name a node, and written in the one form of RFC 5952.
extension IPAddress {
    /// An address alone. Names, zones, leading zeros in IPv4 and anything around it give nil.
    package init?(_ text: Span<UInt8>) {
        if let number = text.ipv4Address {
            self.init(ipv4: number)
        } else {
            guard let (high, low) = text.ipv6Address else { return nil }
            self.init(high: high, low: low)
        }
    }

    /// An address with or without a port, as nodes stand in forwarding fields: `192.0.2.1:80`, `[2001:db8::1]:80`,
    /// `[2001:db8::1]`, and the bare forms. The port is left out.
    package init?(node text: Span<UInt8>) {
        guard text.count > 0 else { return nil }
        if text[0] == 0x5B {
            guard let close = text.firstIndex(of: 0x5D), Self.isPort(text.extracting((close + 1)...)),
                let (high, low) = text.extracting(1..<close).ipv6Address
            else { return nil }
            self.init(high: high, low: low)
        } else if let colon = text.firstIndex(of: 0x3A), text.firstIndex(of: 0x3A, from: colon + 1) == nil {
            guard Self.isPort(text.extracting(colon...)), let number = text.extracting(..<colon).ipv4Address else {
                return nil
            }
            self.init(ipv4: number)
        } else {
            self.init(text)
        }
    }

    /// Nothing, or a colon and one to five digits.
    private static func isPort(_ text: Span<UInt8>) -> Bool {
        guard text.count > 0 else { return true }
        guard text[0] == 0x3A, text.count <= 6 else { return false }
        return text.extracting(1...).decimalValue != nil
    }
}

extension IPAddress: CustomStringConvertible {
    package var description: String {
        var text: [UInt8] = []
        text.append(address: self)
        return String(decoding: text, as: UTF8.self)
    }
}

extension [UInt8] {
    /// Appends an address in its canonical form, without brackets.
    package mutating func append(address: IPAddress) {
        if address.isIPv4 {
            for shift: UInt32 in [24, 16, 8, 0] {
                append(decimal: address.ipv4 >> shift & 255)
                if shift > 0 { append(0x2E) }
            }
            return
        }
        let zeros = Self.longestZeros(address)
        var place = 0
        while place < 8 {
            if place == zeros.lowerBound, zeros.count > 1 {
                append("::")
                place = zeros.upperBound
                continue
            }
            if place > 0, place != zeros.upperBound || zeros.count < 2 { append(0x3A) }
            append(hexadecimal: address.group(place))
            place += 1
        }
    }

    /// The first of the longest runs of zero groups; one group alone is not left out (RFC 5952 §4.2.2).
    private static func longestZeros(_ address: IPAddress) -> Range<Int> {
        var longest = 0..<0
        var start = 0
        for place in 0...8 where place == 8 || address.group(place) != 0 {
            if place - start > longest.count { longest = start..<place }
            start = place + 1
        }
        return longest
    }
}

extension IPAddress {
    /// One of the eight groups of 16 bits, from the left.
    fileprivate func group(_ place: Int) -> UInt64 {
        (place < 4 ? high >> UInt64(48 - 16 * place) : low >> UInt64(112 - 16 * place)) & 0xFFFF
    }
}
