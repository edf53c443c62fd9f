/// An answer on the control socket: a status and a JSON body, or Prometheus text.
import ByteText
package import HTTP1
import JSONText
package import Polling

package struct ControlReply {
    private let status: Int
    private let contentType: StaticString
    private let body: [UInt8]
    private var allow: StaticString?

    private init(status: Int = 200, json body: [UInt8]) {
        self.status = status
        contentType = "application/json"
        self.body = body
    }

    private init(text body: [UInt8]) {
        status = 200
        contentType = "text/plain; version=0.0.4; charset=utf-8"
        self.body = body
    }

    package static func receipts(_ receipts: [PublishReceipt], isList: Bool) -> ControlReply {
        var body: [UInt8] = []
        if isList { body.append("[") }
        for (index, receipt) in receipts.enumerated() {
            if index > 0 { body.append(",") }
            append(receipt, to: &body)
        }
        if isList { body.append("]") }
        body.append("\n")
        return ControlReply(json: body)
    }

    /// `{"id":"43","waiting":17}`, also as a line's answer.
    package static func append(_ receipt: PublishReceipt, to text: inout [UInt8]) {
        text.append(#"{"id":""#)
        text.append(decimal: receipt.id)
        text.append(#"","waiting":"#)
        text.append(decimal: UInt64(receipt.waiting))
        text.append("}")
    }

    /// `{"error":"…"}` and a line feed.
    package static func appendError(_ reason: String, to text: inout [UInt8]) {
        text.append(#"{"error":"#)
        text.append(jsonText: reason)
        text.append("}\n")
    }

    package static func error(status: Int, reason: String, allow: StaticString? = nil) -> ControlReply {
        var body: [UInt8] = []
        appendError(reason, to: &body)
        var reply = ControlReply(status: status, json: body)
        reply.allow = allow
        return reply
    }

    /// Names in the order of their bytes, and where to go on if there are more.
    ///
    /// - Parameters:
    ///   - names: in any order.
    ///   - after: only names behind this one.
    package static func channels(_ names: [ChannelName], after: [UInt8]?, limit: Int) -> ControlReply {
        let names = names.filter { name in after.map { $0.lexicographicallyPrecedes(name.bytes) } ?? true }
            .sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        var body: [UInt8] = []
        body.append(#"{"channels":["#)
        for (index, name) in names.prefix(limit).enumerated() {
            if index > 0 { body.append(",") }
            body.append(jsonEscaped: name.bytes.span)
        }
        body.append("]")
        if names.count > limit, let last = names.prefix(limit).last {
            body.append(#","after":"#)
            body.append(jsonEscaped: last.bytes.span)
        }
        body.append("}\n")
        return ControlReply(json: body)
    }

    package static func channels(_ channels: [(name: ChannelName, figures: ChannelFigures)]) -> ControlReply {
        var body: [UInt8] = []
        body.append(#"{"channels":["#)
        for (index, channel) in channels.enumerated() {
            if index > 0 { body.append(",") }
            append(channel.name, channel.figures, to: &body)
        }
        body.append("]}\n")
        return ControlReply(json: body)
    }

    package static func channel(_ name: ChannelName, _ figures: ChannelFigures) -> ControlReply {
        var body: [UInt8] = []
        append(name, figures, to: &body)
        body.append("\n")
        return ControlReply(json: body)
    }

    private static func append(_ name: ChannelName, _ figures: ChannelFigures, to body: inout [UInt8]) {
        body.append(#"{"channel":"#)
        body.append(jsonEscaped: name.bytes.span)
        body.append(#","depth":"#)
        body.append(decimal: UInt64(figures.depth))
        body.append(#","last_id":"#)
        if let last = figures.lastID {
            body.append("\"")
            body.append(decimal: last)
            body.append("\"")
        } else {
            body.append("null")
        }
        body.append(#","bytes":"#)
        body.append(decimal: UInt64(figures.bytes))
        body.append(#","waiting":"#)
        body.append(decimal: UInt64(figures.waiting))
        body.append("}")
    }

    package static func deleted(_ number: UInt64) -> ControlReply {
        var body: [UInt8] = []
        body.append(#"{"deleted":true,"id":""#)
        body.append(decimal: number)
        body.append("\"}\n")
        return ControlReply(json: body)
    }

    package static func revoked(_ count: Int) -> ControlReply {
        ControlReply(json: Array("{\"revoked\":\(count)}\n".utf8))
    }

    package static var reloaded: ControlReply { ControlReply(json: Array("{\"reloaded\":true}\n".utf8)) }

    /// - Parameter process: the number of the one that serves from now on.
    package static func upgraded(process: Int32) -> ControlReply {
        ControlReply(json: Array("{\"upgraded\":true,\"process\":\(process)}\n".utf8))
    }

    package static func status(_ figures: ServiceFigures) -> ControlReply { ControlReply(json: figures.json) }

    package static func metrics(_ figures: ServiceFigures) -> ControlReply { ControlReply(text: figures.prometheus) }

    /// 200 for yes and 503 for no, which is what load balancers look at; the body is for people.
    package static func health(_ question: HealthQuestion, _ health: Health) -> ControlReply {
        let reason = health.reason(against: question)
        var body: [UInt8] = []
        body.append(question == .live ? #"{"live":"# : #"{"ready":"#)
        if let reason {
            body.append(#"false,"reason":"#)
            body.append(jsonText: reason)
        } else {
            body.append("true")
        }
        body.append("}\n")
        return ControlReply(status: reason == nil ? 200 : 503, json: body)
    }

    /// Writes head and body.
    package func write(for manner: RequestManner, date: DateField, into writer: inout HTTPWriter) {
        writer.statusLine(status)
        writer.field("Content-Type", contentType)
        writer.field("Content-Length", decimal: UInt64(body.count))
        writer.field("Date", date.value.span)
        if let allow { writer.field("Allow", allow) }
        manner.writeConnectionField(into: &writer)
        writer.endOfHead()
        if !manner.isHeadOnly { writer.bytes.append(contentsOf: body) }
    }
}
