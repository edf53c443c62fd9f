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
            guard let close = text.firstIndex(of: 0x5D), Self.isIPv6(text.extracting(1..<close)) else { return nil }
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

    /// Eight groups of one to four hexadecimal digits, the last two possibly as an IPv4 address, one run of groups
    /// possibly left out as `::`.
    private static func isIPv6(_ text: Span<UInt8>) -> Bool {
        var groups = 0
        var hasGap = false
        var index = 0
        if text.count >= 2, text[0] == .colon {
            guard text[1] == .colon else { return false }
            hasGap = true
            index = 2
        }
        while index < text.count {
            let start = index
            while index < text.count, text[index].hexadecimalValue != nil { index += 1 }
            if index < text.count, text[index] == 0x2E {
                guard isIPv4(text.extracting(start..<text.count)) else { return false }
                groups += 2
                break
            }
            guard index > start, index - start <= 4 else { return false }
            groups += 1
            guard index < text.count else { break }
            guard text[index] == .colon, index + 1 < text.count else { return false }
            index += 1
            if text[index] == .colon {
                guard !hasGap else { return false }
                hasGap = true
                index += 1
            }
        }
        return hasGap ? groups < 8 : groups == 8
    }

    private static func isIPv4(_ text: Span<UInt8>) -> Bool {
        var parts = 0
        var start = 0
        while start <= text.count {
            let end = text.firstIndex(of: 0x2E, from: start) ?? text.count
            let part = text.extracting(start..<end)
            guard part.count <= 3, let number = part.decimalValue, number <= 255 else { return false }
            parts += 1
            start = end + 1
        }
        return parts == 4
    }
}
