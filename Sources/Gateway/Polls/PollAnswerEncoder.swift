/// Turns what the pool found into the bytes of a response, in the route's format (DESIGN §5).
import ByteText
import ConfigFile
import HTTP1
import JSONText
package import Polling

package struct PollAnswerEncoder {
    package var date: DateField
    let epoch: Epoch
    /// Reused from answer to answer.
    private var body: [UInt8] = []

    package init(epoch: Epoch, date: DateField) {
        self.epoch = epoch
        self.date = date
    }

    /// The answer with messages, a gap, or both.
    package mutating func answer(_ found: Found, style: AnswerStyle, release: PollExchange.Release) -> PollAnswer {
        let format = style.route.format
        body.removeAll(keepingCapacity: body.capacity <= 1 << 20)
        writeBody(found, style)
        var head = HTTPWriter()
        let isEmpty = format.isRaw && found.messages.isEmpty
        head.statusLine(isEmpty ? 204 : 200)
        let type = contentType(format, found.messages.first)
        head.field("Content-Type", type.span)
        return finish(
            &head, status: isEmpty ? 204 : 200, style: style, number: found.number, gap: found.gap,
            messages: found.messages.count, publishedAt: found.messages.first?.publishedAt, taken: found.taken,
            release: release)
    }

    private mutating func writeBody(_ found: Found, _ style: AnswerStyle) {
        switch style.route.format {
        case .json: writeObject(found)
        case .array: writeArray(found.messages)
        case .raw: if let message = found.messages.first { body.append(contentsOf: message.payload) }
        case .jsonp:
            // The comment keeps the answer from being taken for something else by its first bytes, which a stranger
            // could choose with the function's name.
            body.append("/**/")
            body.append(contentsOf: style.callback ?? [])
            body.append("(")
            let start = body.count
            writeObject(found)
            body.escapeLineSeparators(from: start)
            body.append(");")
        case .template(let template):
            AnswerText(template: template, epoch: epoch).append(found, to: &body)
        }
    }

    /// The answer of a poll whose hold ended without a message: the route's own shape, if it has one.
    package mutating func emptyAnswer(at number: UInt64, style: AnswerStyle, release: PollExchange.Release)
        -> PollAnswer
    {
        let route = style.route
        body.removeAll(keepingCapacity: true)
        var head = HTTPWriter()
        let status = route.empty?.status ?? (route.format.isRaw ? 204 : 200)
        head.statusLine(status)
        var namesContentType = false
        for field in route.empty?.fields ?? [] {
            head.field(field.name.span, field.value.span)
            namesContentType = namesContentType || field.name.span.equalsIgnoringCase("content-type")
        }
        if let own = route.empty?.body {
            body.append(contentsOf: own)
        } else {
            writeBody(Found(messages: [], gap: false, number: number, sameFor: number...number), style)
        }
        if !namesContentType, !body.isEmpty {
            let type = route.empty?.body == nil ? contentType(route.format, nil) : Array("application/json".utf8)
            head.field("Content-Type", type.span)
        }
        return finish(
            &head, status: status, style: style, number: number, gap: false, messages: 0, taken: [], release: release)
    }

    /// The answer of a poll that can't wait because too many do.
    package func refusal(style: AnswerStyle) -> PollAnswer {
        var refusal = PlainAnswer(status: 429, reason: "Too many polls wait on this channel.")
        refusal.isJSON = true
        refusal.retryAfter = 5
        refusal.crossOrigin = (style.route.crossOrigin, style.origin)
        var answer = HTTPWriter()
        let bodyBytes = refusal.write(for: style.manner, date: date, into: &answer)
        return PollAnswer(
            bytes: answer.bytes, status: refusal.status, bodyBytes: bodyBytes, messages: 0, release: .full,
            publishedAt: nil, taken: [], keepsAlive: style.manner.keepsAlive)
    }

    // MARK: Bodies

    private mutating func writeObject(_ found: Found) {
        body.append(#"{"cursor":""#)
        Cursor(epoch: epoch, number: found.number).append(to: &body)
        body.append(found.gap ? #"","gap":true,"messages":["# : #"","messages":["#)
        for (index, message) in found.messages.enumerated() {
            body.append(index == 0 ? #"{"id":""# : #",{"id":""#)
            body.append(decimal: message.id)
            body.append(#"","channel":""#)
            // The alphabet of channel names needs no escape.
            body.append(contentsOf: message.channel.bytes)
            body.append(#"","data":"#)
            writeValue(of: message)
            if message.kind == .binary { body.append(#","encoding":"base64""#) }
            body.append("}")
        }
        body.append("]}")
    }

    private mutating func writeArray(_ messages: [Message]) {
        body.append("[")
        for (index, message) in messages.enumerated() {
            if index > 0 { body.append(",") }
            writeValue(of: message)
        }
        body.append("]")
    }

    private mutating func writeValue(of message: Message) {
        let payload = message.payload
        switch message.kind {
        case .json: body.append(contentsOf: payload)
        case .text: body.append(jsonEscaped: payload.span)
        case .binary:
            body.append("\"")
            body.append(base64: payload.span)
            body.append("\"")
        }
    }

    private func contentType(_ format: HoldRoute.Format, _ message: Message?) -> [UInt8] {
        switch format {
        case .json, .array: return Array("application/json".utf8)
        case .jsonp: return Array("application/javascript; charset=utf-8".utf8)
        case .template(let template): return Array(template.type.utf8)
        case .raw: break
        }
        if let own = message?.contentType { return own }
        return switch message?.kind {
        case .text: Array("text/plain; charset=utf-8".utf8)
        case .json: Array("application/json".utf8)
        case .binary, nil: Array("application/octet-stream".utf8)
        }
    }

    // MARK: The head

    private mutating func finish(
        _ head: inout HTTPWriter, status: Int, style: AnswerStyle, number: UInt64, gap: Bool, messages: Int,
        publishedAt: Moment? = nil, taken: [TakenPosition], release: PollExchange.Release
    ) -> PollAnswer {
        head.field("Cache-Control", "no-store")
        head.field("Date", date.value.span)
        if !style.route.takes, !style.route.format.carriesCursor || style.route.empty?.body != nil {
            head.beginField("Pollhold-Cursor")
            Cursor(epoch: epoch, number: number).append(to: &head.bytes)
            head.endField()
        }
        if gap, !style.route.format.tellsGap { head.field("Pollhold-Gap", "true") }
        if let cookie = style.route.cursorCookie { writeCookie(cookie, number, into: &head) }
        // JSON that a browser is made to run as a script is the one way to read it across origins.
        head.field("X-Content-Type-Options", "nosniff")
        style.route.crossOrigin.writeFields(for: style.origin, into: &head)
        if status != 204 { head.field("Content-Length", decimal: UInt64(body.count)) }
        style.manner.writeConnectionField(into: &head)
        head.endOfHead()
        let sendsBody = !style.manner.isHeadOnly && status != 204
        if sendsBody { head.bytes.append(contentsOf: body) }
        return PollAnswer(
            bytes: head.bytes, status: status, bodyBytes: sendsBody ? body.count : 0, messages: messages,
            release: release, publishedAt: publishedAt, taken: taken, keepsAlive: style.manner.keepsAlive)
    }

    /// The browser of a page that knows no cursor keeps it.
    private func writeCookie(_ name: [UInt8], _ number: UInt64, into head: inout HTTPWriter) {
        head.beginField("Set-Cookie")
        CursorCookie.append(name: name, epoch: epoch, number: number, to: &head.bytes)
        head.endField()
    }
}
