/// Turns what a publisher sent into items for the pool: a body by its Content-Type, a JSON item, a list, or lines
/// (DESIGN §6). All of a request is decoded before anything of it is published.
import ByteText
import JSONText
package import Polling

package enum PublishDecoder {
    /// A request's body, whatever form it has.
    ///
    /// - Parameters:
    ///   - channel: the query's; without it the body names its channels.
    /// - Returns: the items, and whether the answer is to be a list.
    package static func items(
        body: [UInt8], channel: [UInt8]?, contentType: [UInt8]?, key: [UInt8]?
    ) throws(PublishError) -> (items: [PublishItem], isList: Bool) {
        if let channel {
            let item: PublishItem
            if let contentType {
                item = try Self.item(channel: channel.span, contentType: contentType.span, key: key, body: body)
            } else {
                item = try Self.item(channel: channel.span, contentType: nil, key: key, body: body)
            }
            return ([item], false)
        }
        var (items, isList) = try items(body: body, contentType: contentType ?? [])
        guard !items.isEmpty else { throw .noItems }
        if let key {
            guard items.count == 1, items[0].key == nil else { throw .keyForSeveral }
            items[0].key = key
        }
        return (items, isList)
    }

    private static func items(
        body: [UInt8], contentType: [UInt8]
    ) throws(PublishError) -> (items: [PublishItem], isList: Bool) {
        if contentType.span.extracting(..<min(20, contentType.count)).equalsIgnoringCase("application/x-ndjson") {
            return (try items(lines: body.span), true)
        }
        switch MediaType(contentType.span) {
        case .json, .unsaid: return try items(json: body.span)
        case .text, .other: throw .unknownContentType
        }
    }

    /// A body that is the data itself, for the channel named in the query.
    ///
    /// - Parameters:
    ///   - contentType: the field's value; without one, or with the one that a form and plain `curl -d` send, the
    ///     data is what it looks like: JSON if it is valid JSON, else text if it is UTF-8, else bytes.
    package static func item(
        channel: Span<UInt8>, contentType: Span<UInt8>?, key: [UInt8]?, body: [UInt8]
    ) throws(PublishError) -> PublishItem {
        let name = try channelName(channel)
        let kind: Message.Kind
        var keptType: [UInt8]?
        switch MediaType(contentType) {
        case .json:
            try validateJSON(body.span)
            kind = .json
        case .text:
            guard body.span.isUTF8 else { throw .textIsNotUTF8 }
            kind = .text
            keptType = contentType?.array
        case .other:
            kind = .binary
            keptType = contentType?.array
        case .unsaid:
            kind = looksLikeJSON(body.span) ? .json : body.span.isUTF8 ? .text : .binary
        }
        return PublishItem(channel: name, payload: body, kind: kind, contentType: keptType, key: key)
    }

    /// A JSON body: one item, or `{"items":[…]}`.
    ///
    /// - Returns: the items, and whether the answer is to be a list.
    package static func items(json body: Span<UInt8>) throws(PublishError) -> (items: [PublishItem], isList: Bool) {
        try validateJSON(body)
        guard let root = JSONSlice.root(of: body), root.kind == .object else { throw .itemIsNotAnObject }
        var members = JSONMembers(of: root)
        guard let first = members.next(in: body), first.keyEquals("items", in: body) else {
            return ([try item(root, in: body)], false)
        }
        guard members.next(in: body) == nil, first.value.kind == .array else { throw .itemsIsNotAList }
        var items: [PublishItem] = []
        var elements = JSONElements(of: first.value)
        while let element = elements.next(in: body) {
            items.append(try numbered(items.count, element, in: body))
        }
        return (items, true)
    }

    /// One item a line; empty lines mean nothing.
    package static func items(lines body: Span<UInt8>) throws(PublishError) -> [PublishItem] {
        var items: [PublishItem] = []
        var start = 0
        while start < body.count {
            let end = body.firstIndex(of: 0x0A, from: start) ?? body.count
            let line = body.extracting(start..<end)
            start = end + 1
            if isBlank(line) { continue }
            try validateJSON(line, item: items.count)
            guard let root = JSONSlice.root(of: line) else { throw .itemIsNotAnObject }
            items.append(try numbered(items.count, root, in: line))
        }
        return items
    }

    /// One line of the JSON-lines protocol, without its line feed.
    package static func item(line: Span<UInt8>) throws(PublishError) -> PublishItem {
        try validateJSON(line)
        guard let root = JSONSlice.root(of: line) else { throw .itemIsNotAnObject }
        return try item(root, in: line)
    }

    /// Only white space.
    package static func isBlank(_ line: Span<UInt8>) -> Bool {
        for index in 0..<line.count where line[index] != 0x20 && line[index] != 0x0D && line[index] != 0x09 {
            return false
        }
        return true
    }

    // MARK: One item

    /// An item of several: its errors name it.
    private static func numbered(
        _ index: Int, _ object: JSONSlice, in bytes: Span<UInt8>
    ) throws(PublishError) -> PublishItem {
        do throws(PublishError) {
            return try item(object, in: bytes)
        } catch {
            throw .inItem(index, reason: error.reason)
        }
    }

    private static func item(
        _ object: JSONSlice, in bytes: Span<UInt8>
    ) throws(PublishError) -> PublishItem {
        guard object.kind == .object else { throw .itemIsNotAnObject }
        var channel: [UInt8]?
        var data: JSONSlice?
        var key: [UInt8]?
        var contentType: [UInt8]?
        var isBase64 = false
        var members = JSONMembers(of: object)
        while let member = members.next(in: bytes) {
            if member.keyEquals("channel", in: bytes) {
                guard channel == nil else { throw .repeated("channel") }
                channel = try text(member.value, in: bytes, of: "channel")
            } else if member.keyEquals("data", in: bytes) {
                guard data == nil else { throw .repeated("data") }
                data = member.value
            } else if member.keyEquals("key", in: bytes) {
                guard key == nil else { throw .repeated("key") }
                key = try text(member.value, in: bytes, of: "key")
            } else if member.keyEquals("content_type", in: bytes) {
                guard contentType == nil else { throw .repeated("content_type") }
                contentType = try fieldValue(member.value, in: bytes, of: "content_type")
            } else if member.keyEquals("encoding", in: bytes) {
                let encoding = try text(member.value, in: bytes, of: "encoding")
                guard encoding.span.equals("base64") else { throw .unknownEncoding }
                isBase64 = true
            } else {
                throw .unknownMember
            }
        }
        guard let channel else { throw .missing("channel") }
        guard let data else { throw .missing("data") }
        let name = try channelName(channel.span)
        if isBase64 {
            let encoded = try text(data, in: bytes, of: "data")
            guard let decoded = encoded.span.base64Decoded else { throw .badBase64 }
            return PublishItem(channel: name, payload: decoded, kind: .binary, contentType: contentType, key: key)
        }
        let payload = bytes.extracting(data.range).array
        return PublishItem(channel: name, payload: payload, kind: .json, contentType: contentType, key: key)
    }

    private static func text(
        _ value: JSONSlice, in bytes: Span<UInt8>, of name: StaticString
    ) throws(PublishError) -> [UInt8] {
        guard value.kind == .string, let text = value.unescaped(in: bytes) else { throw .notAString(name) }
        return text
    }

    /// A string that will stand in a header field: printable, so that it can't end the line.
    private static func fieldValue(
        _ value: JSONSlice, in bytes: Span<UInt8>, of name: StaticString
    ) throws(PublishError) -> [UInt8] {
        let text = try text(value, in: bytes, of: name)
        guard !text.isEmpty, text.count <= 200, text.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
            throw .notAString(name)
        }
        return text
    }

    private static func channelName(_ bytes: Span<UInt8>) throws(PublishError) -> ChannelName {
        do throws(ChannelNameError) {
            return try ChannelName(bytes)
        } catch {
            throw .badChannel(error)
        }
    }

    private static func validateJSON(_ bytes: Span<UInt8>, item: Int? = nil) throws(PublishError) {
        do throws(JSONError) {
            try JSONValidator.validate(bytes)
        } catch {
            let flaw = PublishError.badJSON(error)
            throw item.map { .inItem($0, reason: flaw.reason) } ?? flaw
        }
    }

    private static func looksLikeJSON(_ bytes: Span<UInt8>) -> Bool {
        do throws(JSONError) {
            try JSONValidator.validate(bytes)
            return true
        } catch {
            return false
        }
    }
}

/// What a Content-Type says about data, as far as it matters here.
private enum MediaType {
    case json
    case text
    case other
    case unsaid

    init(_ value: Span<UInt8>?) {
        guard let value, value.count > 0 else {
            self = .unsaid
            return
        }
        var end = value.firstIndex(of: 0x3B) ?? value.count
        while end > 0, value[end - 1] == 0x20 || value[end - 1] == 0x09 { end -= 1 }
        let type = value.extracting(0..<end)
        if type.equalsIgnoringCase("application/json")
            || (type.count > 5 && type.extracting((type.count - 5)...).equalsIgnoringCase("+json"))
        {
            self = .json
        } else if type.count >= 5, type.extracting(0..<5).equalsIgnoringCase("text/") {
            self = .text
        } else if type.equalsIgnoringCase("application/x-www-form-urlencoded") {
            self = .unsaid
        } else {
            self = .other
        }
    }
}
