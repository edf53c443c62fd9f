/// Where a template's references find their values: the request, its path's captures and the client's address.
import ByteText
import ConfigFile
import HTTP1

struct TemplateSource {
    let captures: PathPattern.Captures
    let client: [UInt8]

    /// The texts that a template stands for: one, or several if it refers to a query parameter that is repeated. Every
    /// combination of repeated parameters counts.
    ///
    /// - Parameter limit: texts at most; one more is returned so that the caller can refuse.
    func evaluate(
        _ template: TemplateText, _ head: borrowing RequestHead, limit: Int
    ) throws(PollError) -> [[UInt8]] {
        var texts: [[UInt8]] = [[]]
        for part in template.parts {
            switch part {
            case .literal(let literal):
                for index in texts.indices { texts[index].append(contentsOf: literal) }
            case .reference(let reference):
                let values = try values(of: reference, head)
                if values.isEmpty { throw .missing(parameter: reference.name) }
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

    private func values(
        of reference: TemplateText.Reference, _ head: borrowing RequestHead
    ) throws(PollError) -> [[UInt8]] {
        switch reference.source {
        case .path:
            guard let range = captures[reference.name] else { return [] }
            guard let value = head[head.pathRange].extracting(range).percentDecoded(plusIsSpace: false) else {
                throw .badEncoding(parameter: reference.name)
            }
            return [value]
        case .query: return try queryValues(reference.name, head)
        case .cookie: return cookieValue(reference.name, head)
        case .header:
            let name = Array(reference.name.utf8)
            guard let line = head.fields.first(of: name.span) else { return [] }
            return [head.fields.value(of: line).array]
        case .clientAddress: return [client]
        }
    }

    private func queryValues(_ name: String, _ head: borrowing RequestHead) throws(PollError) -> [[UInt8]] {
        guard let query = head.queryRange else { return [] }
        let wanted = Array(name.utf8)
        guard let values = QueryItems.values(head[query], named: wanted.span) else {
            throw .badEncoding(parameter: name)
        }
        return values
    }

    private func cookieValue(_ name: String, _ head: borrowing RequestHead) -> [[UInt8]] {
        let wanted = Array(name.utf8)
        return head.fields.cookie(named: wanted.span).map { [head[$0].array] } ?? []
    }
}
