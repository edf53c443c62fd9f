/// Where a template's references find their values: the request, its path's captures, the client's address, and where
/// they were kept the bodies and the app's response. Everything is decoded once (SECURITY M1).
import ByteText
import ConfigFile
import HTTP1

struct TemplateSource {
    let captures: PathPattern.Captures
    let client: ClientAddress
    /// The request's body; nil: it was not kept.
    var content: CapturedContent?
    var response: ResponseHead?
    var responseContent: CapturedContent?
    /// Fields of the answer by which the app let the client in.
    var authorization: [GrantedField] = []

    init(captures: PathPattern.Captures, client: ClientAddress) {
        self.captures = captures
        self.client = client
    }

    /// The texts that a template stands for: one, or several if something that it refers to is there several times.
    /// Every combination counts.
    ///
    /// - Parameter limit: texts at most; one more is returned so that the caller can refuse.
    func evaluate(
        _ template: TemplateText, _ head: borrowing RequestHead, limit: Int
    ) throws(TemplateError) -> [[UInt8]] {
        // Most templates of channels are one reference, whose values are the texts.
        if template.parts.count == 1, case .reference(let reference) = template.parts[0] {
            let values = try values(of: reference, head)
            if values.isEmpty { throw .missing(reference) }
            return values.count > limit + 1 ? Array(values.prefix(limit + 1)) : values
        }
        var texts: [[UInt8]] = [[]]
        for part in template.parts {
            switch part {
            case .literal(let literal):
                for index in texts.indices { texts[index].append(contentsOf: literal) }
            case .reference(let reference):
                let values = try values(of: reference, head)
                if values.isEmpty { throw .missing(reference) }
                var combined: [[UInt8]] = []
                for text in texts {
                    for value in values.prefix(limit + 1) where combined.count <= limit {
                        combined.append(text + value)
                    }
                }
                texts = combined
            }
        }
        return texts
    }

    /// What a reference stands for; empty: nothing is there.
    func values(
        of reference: TemplateText.Reference, _ head: borrowing RequestHead
    ) throws(TemplateError) -> [[UInt8]] {
        switch reference.source {
        case .path:
            guard let range = captures[reference.name] else { return [] }
            guard let value = head[head.pathRange].extracting(range).percentDecoded(plusIsSpace: false) else {
                throw .badEncoding(reference)
            }
            return [value]
        case .wholePath: return [head[head.pathRange].array]
        case .query:
            guard let query = head.queryRange else { return [] }
            guard let values = QueryItems.values(head[query], named: reference.name.utf8.span) else {
                throw .badEncoding(reference)
            }
            return values
        case .cookie: return cookieValue(reference.name, head)
        case .header: return Self.fieldValue(reference.name, head.fields)
        case .form:
            guard let content else { return [] }
            guard let values = content.formValues(reference.name) else { throw .badEncoding(reference) }
            return values
        case .json: return content?.jsonValues(reference.name) ?? []
        case .responseHeader: return response.map { Self.fieldValue(reference.name, $0.fields) } ?? []
        case .responseJSON: return responseContent?.jsonValues(reference.name) ?? []
        case .authorizationHeader:
            let name = Array(reference.name.utf8)
            return authorization.first { $0.name == name }.map { [$0.value] } ?? []
        case .clientAddress: return [client.text]
        case .answerCursor, .answerMessages, .answerGap, .answerCount, .messageID, .messageChannel, .messageData:
            preconditionFailure("the configuration takes these in answers alone")
        }
    }

    private static func fieldValue(_ name: String, _ fields: borrowing FieldLines) -> [[UInt8]] {
        guard let line = fields.first(of: name.utf8.span) else { return [] }
        return [fields.value(of: line).array]
    }

    private func cookieValue(_ name: String, _ head: borrowing RequestHead) -> [[UInt8]] {
        head.fields.cookie(named: name.utf8.span).map { [head[$0].array] } ?? []
    }
}

/// Why a template has no text.
enum TemplateError: Error, Equatable {
    /// Nothing is there for this reference.
    case missing(TemplateText.Reference)
    case badEncoding(TemplateText.Reference)
}
