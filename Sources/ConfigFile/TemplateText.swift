/// A text with references in braces, e.g. `room.{query.room}`. `{{` and `}}` stand for braces.
package struct TemplateText: Hashable, Sendable, CustomStringConvertible {
    package enum Part: Hashable, Sendable {
        case literal([UInt8])
        case reference(Reference)
    }

    package enum Source: String, CaseIterable, Sendable {
        case path
        case query
        case cookie
        case header
        /// A field of a form in the request's body.
        case form
        /// A place in the JSON of the request's body.
        case json
        case responseHeader = "response.header"
        case responseJSON = "response.json"
        /// A field of the answer by which the application let the client in.
        case authorizationHeader = "auth.header"
        case clientAddress = "client.address"
        /// The whole path as it was sent.
        case wholePath = "request.path"
        // Of an answer that Pollhold makes itself.
        case answerCursor = "cursor"
        case answerMessages = "messages"
        case answerGap = "gap"
        case answerCount = "count"
        // Of a message in it.
        case messageID = "id"
        case messageChannel = "channel"
        /// All of it, or a place in its JSON.
        case messageData = "data"

        /// It stands alone, without a name behind it.
        var isWhole: Bool {
            self == .clientAddress || self == .wholePath || (isOfAnswer && self != .messageData)
        }
        /// Only an answer's template knows it.
        var isOfAnswer: Bool {
            switch self {
            case .answerCursor, .answerMessages, .answerGap, .answerCount, .messageID, .messageChannel, .messageData:
                true
            default: false
            }
        }
        /// The name is a JSON pointer.
        var takesPointer: Bool { self == .json || self == .responseJSON || self == .messageData }
        /// The name is a field's, in lower case.
        var takesFieldName: Bool { self == .header || self == .responseHeader || self == .authorizationHeader }

        /// As it is written, for errors.
        var form: String {
            if self == .messageData { return "{data}, {data./POINTER}" }
            return isWhole ? "{\(rawValue)}" : takesPointer ? "{\(rawValue)./POINTER}" : "{\(rawValue).NAME}"
        }
    }

    package struct Reference: Hashable, Sendable {
        package let source: Source
        /// The name behind the source; empty where there is none. A header's in lower case.
        package let name: String

        package var text: String { name.isEmpty ? source.rawValue : "\(source.rawValue).\(name)" }
    }

    package let parts: [Part]
    package let description: String

    package struct Flaw: Error, Equatable {
        /// Offset in characters.
        let offset: Int
        let found: String
        let expected: String
    }

    package var references: [Reference] {
        parts.compactMap { if case .reference(let reference) = $0 { reference } else { nil } }
    }

    /// The name of the first reference, which is what a client's mistake is called by.
    package var firstReferenceName: String { references.first.map { $0.name.isEmpty ? $0.text : $0.name } ?? "" }

    /// Whether a client decides on some of it: anything but its own address and what the application said of it.
    package var isClientControlled: Bool {
        references.contains { $0.source != .clientAddress && $0.source != .authorizationHeader }
    }

    /// A template that is one reference.
    package init(_ source: Source, _ name: String) {
        let reference = Reference(source: source, name: name)
        parts = [.reference(reference)]
        description = "{\(reference.text)}"
    }

    package init(_ text: String) throws(Flaw) {
        var parts: [Part] = []
        var literal: [UInt8] = []
        let letters = Array(text)
        var index = 0
        while index < letters.count {
            let letter = letters[index]
            let isDoubled = index + 1 < letters.count && letters[index + 1] == letter
            if letter == "{" || letter == "}", isDoubled {
                literal.append(contentsOf: String(letter).utf8)
                index += 2
            } else if letter == "}" {
                throw Flaw(offset: index, found: "a } without its {", expected: "}} for a brace itself")
            } else if letter == "{" {
                guard let end = letters[index...].firstIndex(of: "}") else {
                    throw Flaw(offset: index, found: "a { without its }", expected: "{{ for a brace itself")
                }
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = []
                parts.append(.reference(try Self.reference(String(letters[(index + 1)..<end]), at: index)))
                index = end + 1
            } else {
                literal.append(contentsOf: String(letter).utf8)
                index += 1
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        self.parts = parts
        description = text
    }

    private static func reference(_ text: String, at offset: Int) throws(Flaw) -> Reference {
        let known = Source.allCases.filter { !$0.isOfAnswer }.map(\.form).joined(separator: ", ")
        for source in Source.allCases {
            if source.isWhole {
                if text == source.rawValue { return Reference(source: source, name: "") }
                continue
            }
            if source == .messageData, text == source.rawValue { return Reference(source: source, name: "") }
            guard text == source.rawValue || text.hasPrefix("\(source.rawValue).") else { continue }
            let name = String(text.dropFirst(source.rawValue.count + 1))
            guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
                throw Flaw(offset: offset, found: "the reference {\(text)} without a name", expected: source.form)
            }
            guard !source.takesPointer || isPointer(name) else {
                throw Flaw(
                    offset: offset, found: "the reference {\(text)}",
                    expected: "a JSON pointer behind the dot, such as {\(source.rawValue)./room/id}")
            }
            return Reference(source: source, name: source.takesFieldName ? name.lowercased() : name)
        }
        throw Flaw(offset: offset, found: "the unknown reference {\(text)}", expected: known)
    }

    /// Parts that each begin with `/`, with `~0` for `~` and `~1` for `/` (RFC 6901).
    static func isPointer(_ text: String) -> Bool {
        guard text.hasPrefix("/") else { return false }
        return text.split(separator: "~", omittingEmptySubsequences: false).dropFirst()
            .allSatisfy { $0.hasPrefix("0") || $0.hasPrefix("1") }
    }
}
