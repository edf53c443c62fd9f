/// Which channels are meant: parts between dots, where `*` is any one part and `**` any rest, at least one part.
package struct ChannelPattern: Hashable, Sendable, CustomStringConvertible {
    private enum Part: Hashable {
        case literal([UInt8])
        case any
        case rest
    }

    private let parts: [Part]
    package let description: String

    /// - Returns: nil with a reason in `expected` terms for what is no pattern: a letter outside the alphabet of
    ///   names, `*` beside other letters in a part, or `**` before the end.
    package init?(_ text: String) {
        guard !text.isEmpty, text.utf8.count <= 200 else { return nil }
        var parts: [Part] = []
        let words = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        for (index, word) in words.enumerated() {
            if word.elementsEqual("*".utf8) {
                parts.append(.any)
            } else if word.elementsEqual("**".utf8) {
                guard index == words.count - 1 else { return nil }
                parts.append(.rest)
            } else {
                guard word.allSatisfy(Self.isNameByte) else { return nil }
                parts.append(.literal(Array(word)))
            }
        }
        self.parts = parts
        description = text
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"),
            UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "/"):
            true
        default: false
        }
    }

    /// Whether a channel's name is meant. O(its length): a part is looked at once.
    package func matches(_ name: Span<UInt8>) -> Bool {
        var start = 0
        for (index, part) in parts.enumerated() {
            guard start <= name.count else { return false }
            if part == .rest { return start < name.count }
            var end = start
            while end < name.count, name[end] != UInt8(ascii: ".") { end += 1 }
            if case .literal(let literal) = part {
                guard literal.count == end - start else { return false }
                for offset in 0..<literal.count where name[start + offset] != literal[offset] { return false }
            } else if end == start {
                return false
            }
            if index == parts.count - 1 { return end == name.count }
            guard end < name.count else { return false }
            start = end + 1
        }
        return false
    }
}
