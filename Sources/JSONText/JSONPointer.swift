/// A path into JSON (RFC 6901).
import ByteText

package struct JSONPointer: Hashable, Sendable {
    private let tokens: [[UInt8]]

    /// - Parameter text: empty, or parts that each begin with `/`, with `~0` for `~` and `~1` for `/`.
    /// - Returns: nil for anything else.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.isEmpty || bytes[0] == 0x2F else { return nil }
        var tokens: [[UInt8]] = []
        var index = 0
        while index < bytes.count {
            switch bytes[index] {
            case 0x2F: tokens.append([])
            case 0x7E:
                guard index + 1 < bytes.count, bytes[index + 1] == 0x30 || bytes[index + 1] == 0x31 else { return nil }
                tokens[tokens.count - 1].append(bytes[index + 1] == 0x30 ? 0x7E : 0x2F)
                index += 1
            case let byte: tokens[tokens.count - 1].append(byte)
            }
            index += 1
        }
        self.tokens = tokens
    }

    /// The value that the path leads to in validated JSON. Of members with one name the last counts, as in every
    /// browser.
    package func follow(in bytes: Span<UInt8>) -> JSONSlice? {
        guard var value = JSONSlice.root(of: bytes) else { return nil }
        for token in tokens {
            guard let inner = step(token, from: value, in: bytes) else { return nil }
            value = inner
        }
        return value
    }

    private func step(_ token: [UInt8], from value: JSONSlice, in bytes: Span<UInt8>) -> JSONSlice? {
        switch value.kind {
        case .object:
            var found: JSONSlice?
            var members = JSONMembers(of: value)
            while let member = members.next(in: bytes) {
                if member.key.unescaped(in: bytes) == token { found = member.value }
            }
            return found
        case .array:
            // RFC 6901 §4: digits without leading zeros.
            guard let wanted = token.span.decimalValue, token.count == 1 || token[0] != 0x30 else { return nil }
            var elements = JSONElements(of: value)
            var index: UInt64 = 0
            while let element = elements.next(in: bytes) {
                if index == wanted { return element }
                index += 1
            }
            return nil
        default: return nil
        }
    }
}
