/// `uri-host [ ":" port ]` (RFC 9110 §4.2, RFC 3986 §3.2.2): a name, an IPv4 address or a bracketed IPv6 address. User
/// information, IPvFuture, zone identifiers, commas, bytes from 128 on and an empty host are refused.
package import ByteText

package struct AuthorityText: Hashable, Sendable {
    /// With its brackets if it is an IPv6 address.
    package let hostRange: ByteRange
    /// Nil if there is no colon or nothing behind it.
    package let port: UInt16?

    /// - Returns: nil if `text` is no authority.
    package init?(_ text: Span<UInt8>) {
        guard text.count > 0 else { return nil }
        var end = 0
        if text[0] == 0x5B {
            guard let close = text.firstIndex(of: 0x5D), text.extracting(1..<close).ipv6Address != nil
            else { return nil }
            end = close + 1
        } else {
            guard let nameEnd = Self.endOfName(text), nameEnd > 0 else { return nil }
            end = nameEnd
        }
        hostRange = ByteRange(0..<end)
        guard end < text.count else {
            port = nil
            return
        }
        guard text[end] == .colon else { return nil }
        let digits = text.extracting(end + 1..<text.count)
        guard digits.count > 0 else {
            port = nil
            return
        }
        guard digits.count <= 5, let number = digits.decimalValue, number <= UInt64(UInt16.max) else { return nil }
        port = UInt16(number)
    }

    /// Offset of the first byte that is not part of a registered name; nil if a `%` is not followed by two digits.
    private static func endOfName(_ text: Span<UInt8>) -> Int? {
        var index = 0
        while index < text.count {
            if ByteSet.hostName.contains(text[index]) {
                index += 1
            } else if text[index] == 0x25 {
                guard index + 2 < text.count, text[index + 1].hexadecimalValue != nil,
                    text[index + 2].hexadecimalValue != nil
                else { return nil }
                index += 3
            } else {
                break
            }
        }
        return index
    }
}
