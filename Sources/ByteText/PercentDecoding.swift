/// Percent-encoding (RFC 3986 §2.1) and its form variant (application/x-www-form-urlencoded, WHATWG URL §5).

extension Span<UInt8> {
    /// The bytes with every `%XX` decoded once, or nil if a `%` is not followed by two hexadecimal digits.
    ///
    /// - Parameter plusIsSpace: true inside a query or a form, where `+` stands for a space; false inside a path.
    package func percentDecoded(plusIsSpace: Bool) -> [UInt8]? {
        var decoded: [UInt8] = []
        decoded.reserveCapacity(count)
        var index = 0
        while index < count {
            switch self[index] {
            case 0x25:
                guard index + 2 < count, let high = self[index + 1].hexadecimalValue,
                    let low = self[index + 2].hexadecimalValue
                else { return nil }
                decoded.append(high << 4 | low)
                index += 3
            case 0x2B where plusIsSpace:
                decoded.append(0x20)
                index += 1
            case let byte:
                decoded.append(byte)
                index += 1
            }
        }
        return decoded
    }
}
