/// `${NAME}` in a value, replaced from the environment after YAML has been read: what a variable holds can fill a
/// value, never add keys. `${NAME:-other}` gives a value for an unset name, `$$` a dollar.
enum EnvironmentText {
    struct Flaw: Error {
        let found: String
        let expected: String
    }

    static func substitute(_ text: String, from environment: [String: String]) throws(Flaw) -> String {
        guard text.contains("$") else { return text }
        var result = ""
        var rest = Substring(text)
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[rest.index(after: dollar)...]
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    throw Flaw(found: "a ${ without its }", expected: "${NAME}, or $$ for a dollar")
                }
                result += try value(of: String(rest[rest.index(after: rest.startIndex)..<end]), environment)
                rest = rest[rest.index(after: end)...]
            } else {
                throw Flaw(found: "a lone $", expected: "${NAME}, or $$ for a dollar")
            }
        }
        return result + rest
    }

    private static func value(of text: String, _ environment: [String: String]) throws(Flaw) -> String {
        var name = Substring(text)
        var other: Substring?
        if let mark = text.range(of: ":-") {
            name = text[..<mark.lowerBound]
            other = text[mark.upperBound...]
        }
        guard !name.isEmpty, name.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }) else {
            throw Flaw(found: "${\(text)}, which names no variable", expected: "letters, digits and _")
        }
        if let value = environment[String(name)] { return value }
        guard let other else {
            throw Flaw(
                found: "${\(name)}, which is not set",
                expected: "the variable in the environment, or ${\(name):-default}")
        }
        return String(other)
    }
}

extension String {
    /// The first place of `part`; the standard library has this for whole collections only with Foundation.
    fileprivate func range(of part: String) -> Range<String.Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(part) { return start..<index(start, offsetBy: part.count) }
            start = index(after: start)
        }
        return nil
    }
}
