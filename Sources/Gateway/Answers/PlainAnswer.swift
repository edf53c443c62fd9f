/// A small answer of our own: an error or a note, never with a byte of the request in it.
import ByteText
package import HTTP1
import JSONText

package struct PlainAnswer {
    package var status: Int
    /// A whole sentence for whoever reads the body.
    package var reason: String
    /// Of a poll's parameter that is to blame.
    package var parameter: String?
    /// The body is JSON, as a script expects it that polls.
    package var isJSON = false
    package var closes = false
    /// Seconds after which trying again makes sense.
    package var retryAfter: Int?
    package var allow: StaticString?
    package var crossOrigin: (rules: CrossOrigin, origin: AllowedOrigin)?
    package var isPreflight = false
    /// Told to the client as X-Request-Id.
    package var requestID: RequestID?

    package init(status: Int, reason: String, closes: Bool = false) {
        self.status = status
        self.reason = reason
        self.closes = closes
    }

    /// What a client is told when the app gave no answer.
    package init(_ failure: ProxyFailure) {
        self.init(status: failure.status, reason: "\(failure.reason)")
        if failure.status == 503 { retryAfter = 5 }
    }

    /// No more polls can be held now.
    package static var pollsExceeded: PlainAnswer {
        var answer = PlainAnswer(status: 503, reason: "No more polls can be held at present.")
        answer.isJSON = true
        answer.retryAfter = 5
        return answer
    }

    /// Nothing more can be begun now for want of memory.
    package static var memoryExceeded: PlainAnswer {
        var answer = PlainAnswer(status: 503, reason: "There is too much to do at present.", closes: true)
        answer.retryAfter = 5
        return answer
    }

    /// This client has as many polls as one may have.
    package static var clientPollsExceeded: PlainAnswer {
        var answer = PlainAnswer(status: 429, reason: "This client has too many polls at a time.")
        answer.isJSON = true
        answer.retryAfter = 5
        return answer
    }

    /// This address has as many connections as one may have.
    package static var clientConnectionsExceeded: PlainAnswer {
        var answer = PlainAnswer(status: 429, reason: "There are too many connections from this address.", closes: true)
        answer.retryAfter = 5
        return answer
    }

    /// Writes head and body.
    ///
    /// - Returns: bytes of the body.
    package func write(
        for manner: RequestManner, date: DateField, into writer: inout HTTPWriter
    ) -> Int {
        let body = status == 204 ? [] : bodyBytes
        writer.statusLine(status)
        if status != 204 {
            writer.field("Content-Type", isJSON ? "application/json" : "text/plain; charset=utf-8")
            writer.field("Content-Length", decimal: UInt64(body.count))
        }
        writer.field("Cache-Control", "no-store")
        writer.field("Date", date.value.span)
        if let allow { writer.field("Allow", allow) }
        if let retryAfter { writer.field("Retry-After", decimal: UInt64(retryAfter)) }
        if let (rules, origin) = crossOrigin {
            rules.writeFields(for: origin, into: &writer)
            if isPreflight { rules.writePreflightFields(for: origin, into: &writer) }
        }
        requestID?.writeField(into: &writer)
        manner.writeConnectionField(into: &writer)
        writer.endOfHead()
        guard !manner.isHeadOnly else { return 0 }
        writer.bytes.append(contentsOf: body)
        return body.count
    }

    private var bodyBytes: [UInt8] {
        guard isJSON else { return Array("\(status) \(StatusReason(status).phrase)\n\(reason)\n".utf8) }
        var body: [UInt8] = []
        body.append(#"{"error":"#)
        body.append(jsonText: reason)
        if let parameter {
            body.append(#","parameter":"#)
            body.append(jsonText: parameter)
        }
        body.append("}\n")
        return body
    }
}
