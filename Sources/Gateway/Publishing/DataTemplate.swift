/// The data of a message from a template. Where the template looks like JSON, what is put in can't break out of its
/// place: between quotes it is escaped, elsewhere it is a whole value (a string, or the JSON value that a pointer leads
/// to).
import ByteText
import ConfigFile
import HTTP1
import JSONText

struct DataTemplate {
    let template: TemplateText

    /// Whether the result is meant as JSON: the template begins like a list, an object or a string.
    private var looksLikeJSON: Bool {
        guard case .literal(let literal) = template.parts.first else { return false }
        return literal.first { $0 != 0x20 }.map { $0 == 0x7B || $0 == 0x5B || $0 == 0x22 } ?? false
    }

    /// One reference to a place in JSON stands for the value there, whatever it is.
    private var onlyPointer: TemplateText.Reference? {
        guard template.parts.count == 1, case .reference(let reference) = template.parts[0],
            reference.source == .json || reference.source == .responseJSON
        else { return nil }
        return reference
    }

    /// - Returns: nil if something that it refers to is not there, or if it looks like JSON and comes to none.
    func evaluate(_ head: borrowing RequestHead, _ source: TemplateSource) -> (payload: [UInt8], isJSON: Bool)? {
        if let onlyPointer { return Self.rawValue(onlyPointer, source).map { ($0, true) } }
        let isJSON = looksLikeJSON
        var text: [UInt8] = []
        var isInString = false
        for part in template.parts {
            switch part {
            case .literal(let literal):
                text.append(contentsOf: literal)
                if isJSON { JSONPlace.follow(literal, &isInString) }
            case .reference(let reference):
                guard let values = Self.values(of: reference, head, source), let first = values.first else {
                    return nil
                }
                if !isJSON {
                    text.append(contentsOf: first)
                } else if isInString {
                    guard let inside = Self.escaped(first) else { return nil }
                    text.append(contentsOf: inside.dropFirst().dropLast())
                } else if let raw = Self.rawValue(reference, source) {
                    text.append(contentsOf: raw)
                } else {
                    guard let value = Self.escaped(first) else { return nil }
                    text.append(contentsOf: value)
                }
            }
        }
        guard isJSON else { return (text, false) }
        return CapturedContent.isValid(text.span) ? (text, true) : nil
    }

    private static func values(
        of reference: TemplateText.Reference, _ head: borrowing RequestHead, _ source: TemplateSource
    ) -> [[UInt8]]? {
        do throws(TemplateError) {
            return try source.values(of: reference, head)
        } catch {
            return nil
        }
    }

    /// As a JSON string with its quotes; nil for what is not UTF-8.
    private static func escaped(_ value: [UInt8]) -> [UInt8]? {
        guard value.span.isUTF8 else { return nil }
        var text: [UInt8] = []
        text.append(jsonEscaped: value.span)
        return text
    }

    private static func rawValue(_ reference: TemplateText.Reference, _ source: TemplateSource) -> [UInt8]? {
        let content: CapturedContent?
        switch reference.source {
        case .json: content = source.content
        case .responseJSON: content = source.responseContent
        default: return nil
        }
        guard let content, let value = content.jsonValue(reference.name) else { return nil }
        return content.bytes.span.extracting(value.range).array
    }
}
