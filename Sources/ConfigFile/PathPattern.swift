/// Which paths a route takes: literal parts, `{name}` for one part, `/**` at the end for any rest, also none.
///
/// A path is compared as its bytes were sent: `/a%62` is not `/ab`. The application behind may take them for one, but
/// guessing how it reads a path is how requests slip past rules; what no route takes goes to the application.
package struct PathPattern: Hashable, Sendable, CustomStringConvertible {
    enum Part: Hashable {
        case literal([UInt8])
        case capture(String)
        case rest
    }

    let parts: [Part]
    package let description: String

    /// Every path.
    static let everything = PathPattern(parts: [.rest], description: "/**")

    private init(parts: [Part], description: String) {
        self.parts = parts
        self.description = description
    }

    /// Places of captures in a path.
    package struct Captures: Equatable, Sendable {
        fileprivate var ranges: [(name: String, range: Range<Int>)] = []

        package static let none = Captures()

        package subscript(name: String) -> Range<Int>? { ranges.first { $0.name == name }?.range }

        package static func == (left: Captures, right: Captures) -> Bool {
            left.ranges.elementsEqual(right.ranges) { $0 == $1 }
        }
    }

    package enum Flaw: Error, Equatable {
        case noLeadingSlash
        case restNotAtEnd
        case badCapture(String)
        case repeatedCapture(String)
        case badByte(Character)

        var expected: String {
            switch self {
            case .noLeadingSlash: "a path that begins with /"
            case .restNotAtEnd: "** only as the last part"
            case .badCapture(let text): "a part that is all capture, such as {room}, instead of \(text)"
            case .repeatedCapture(let name): "the capture {\(name)} once"
            case .badByte(let letter):
                "a path without \(letter == " " ? "spaces" : "\(letter)"), percent-encoded where needed"
            }
        }
    }

    package init(_ text: String) throws(Flaw) {
        guard text.hasPrefix("/") else { throw .noLeadingSlash }
        if let bad = text.first(where: {
            !$0.isASCII || $0.asciiValue.map { $0 <= 0x20 } ?? true || $0 == "?" || $0 == "#"
        }) {
            throw .badByte(bad)
        }
        var parts: [Part] = []
        var names: Set<String> = []
        let words = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, word) in words.enumerated() {
            if word == "**" {
                guard index == words.count - 1 else { throw .restNotAtEnd }
                parts.append(.rest)
            } else if word.contains("{") || word.contains("}") {
                let name = word.dropFirst().dropLast()
                guard word.hasPrefix("{"), word.hasSuffix("}"), !name.isEmpty,
                    name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") })
                else { throw .badCapture(String(word)) }
                guard names.insert(String(name)).inserted else { throw .repeatedCapture(String(name)) }
                parts.append(.capture(String(name)))
            } else {
                parts.append(.literal(Array(word.utf8)))
            }
        }
        self.parts = parts
        description = text
    }

    package var captureNames: [String] {
        parts.compactMap { if case .capture(let name) = $0 { name } else { nil } }
    }

    /// The captures if the path is taken; nil if it is not. A capture is never empty.
    package func match(_ path: Span<UInt8>) -> Captures? {
        guard path.count > 0, path[0] == UInt8(ascii: "/") else { return nil }
        var captures = Captures()
        var start = 1
        for (index, part) in parts.enumerated() {
            if part == .rest { return captures }
            var end = start
            while end < path.count, path[end] != UInt8(ascii: "/") { end += 1 }
            switch part {
            case .literal(let literal):
                guard literal.count == end - start else { return nil }
                for offset in 0..<literal.count where path[start + offset] != literal[offset] { return nil }
            case .capture(let name):
                guard end > start else { return nil }
                captures.ranges.append((name, start..<end))
            case .rest: break
            }
            if index == parts.count - 1 { return end == path.count ? captures : nil }
            guard end < path.count else { return parts[index + 1] == .rest ? captures : nil }
            start = end + 1
        }
        return nil
    }

    /// Whether every path that `other` takes is taken by this pattern.
    func covers(_ other: PathPattern) -> Bool {
        for (index, part) in parts.enumerated() {
            if part == .rest { return true }
            guard index < other.parts.count else { return false }
            switch (part, other.parts[index]) {
            case (.capture, .capture): break
            case (.capture, .literal(let literal)) where !literal.isEmpty: break
            case (.literal(let own), .literal(let others)) where own == others: break
            default: return false
            }
        }
        return parts.count == other.parts.count
    }
}
