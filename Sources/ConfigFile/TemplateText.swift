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
        case clientAddress = "client.address"
    }

    package struct Reference: Hashable, Sendable {
        package let source: Source
        /// The name behind the source; empty for the client's address. A header's in lower case.
        package let name: String

        package var text: String { source == .clientAddress ? source.rawValue : "\(source.rawValue).\(name)" }
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

    /// Whether a client decides on some of it: anything but its own address.
    package var isClientControlled: Bool { references.contains { $0.source != .clientAddress } }

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
        if text == Source.clientAddress.rawValue { return Reference(source: .clientAddress, name: "") }
        let dot = text.firstIndex(of: ".") ?? text.endIndex
        let name = dot < text.endIndex ? String(text[text.index(after: dot)...]) : ""
        let known = "{path.NAME}, {query.NAME}, {cookie.NAME}, {header.NAME} or {client.address}"
        guard let source = Source(rawValue: String(text[..<dot])), source != .clientAddress else {
            throw Flaw(offset: offset, found: "the unknown reference {\(text)}", expected: known)
        }
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw Flaw(offset: offset, found: "the reference {\(text)} without a name", expected: known)
        }
        return Reference(source: source, name: source == .header ? name.lowercased() : name)
    }
}
