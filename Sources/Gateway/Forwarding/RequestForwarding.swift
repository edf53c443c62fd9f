/// Writes the head of a request for the app: anew from the parsed parts, with one framing field and our own forwarding
/// fields (RFC 9110 §7.6; SECURITY W1 to W4).
import ByteText
package import HTTP1

package enum RequestForwarding {
    /// What the app is told about who asks.
    package struct Client {
        package let identity: ClientIdentity
        package let rules: ForwardingRules
        package let requestID: RequestID?

        package init(identity: ClientIdentity, rules: ForwardingRules, requestID: RequestID?) {
            self.identity = identity
            self.rules = rules
            self.requestID = requestID
        }
    }

    /// - Parameters:
    ///   - uncompressed: somebody here reads the response, so the client's Accept-Encoding is not passed on.
    ///   - host: what the app is told as Host instead of what the client sent.
    ///   - content: the request's body, if it has come as a whole; it is written too, with its length, however it was
    ///     framed. Trailers behind it are dropped (RFC 9110 §6.5.1).
    package static func write(
        _ head: borrowing RequestHead, client: Client, host: [UInt8]?, upgrading: Bool, uncompressed: Bool = false,
        content: [UInt8]? = nil, into writer: inout HTTPWriter
    ) {
        writer.requestLine(of: head)
        if let host {
            writer.field("Host", host.span)
        } else {
            writer.field("Host", head[head.hostRange])
        }
        for line in head.fields.lines where passes(head, line, client) {
            if uncompressed, head.fields.name(of: line).equalsIgnoringCase("accept-encoding") { continue }
            writer.field(line, of: head.fields)
        }
        if uncompressed { writer.field("Accept-Encoding", "identity") }
        let framing = content == nil || head.framing == .none ? head.framing : .length(UInt64(content?.count ?? 0))
        writeFraming(framing, into: &writer)
        client.identity.writeFields(head, client.rules, into: &writer)
        if let requestID = client.requestID { requestID.writeField(into: &writer) }
        writeHops(head, into: &writer)
        if upgrading, let range = head.upgradeRange {
            writer.field("Connection", "upgrade")
            writer.field("Upgrade", head[range])
        } else if acceptsTrailers(head) {
            // What the client can take the app may send: trailers go through. Nothing else of TE does.
            writer.field("Connection", "TE")
            writer.field("TE", "trailers")
        }
        writer.endOfHead()
        if let content { writer.bytes.append(contentsOf: content) }
    }

    /// Whether a line goes on as it is. What frames the message, belongs to the connection or is ours to say does not.
    private static func passes(
        _ head: borrowing RequestHead, _ line: FieldLine, _ client: borrowing Client
    ) -> Bool {
        switch line.name {
        case .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .upgrade, .te,
            .trailer, .http2Settings, .proxyAuthenticate, .proxyAuthorization, .via:
            return false
        case .maxForwards:
            return !limitsHops(head)
        case .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort, .forwarded:
            return false
        case .xRealIP:
            return client.identity.speaksForOthers
        case .xRequestID:
            return client.requestID == nil
        case .other:
            guard !line.isNominated, !isOurs(line, head.fields) else { return false }
            return !hasForwardedPrefix(head.fields.name(of: line))
                || client.identity.speaksForOthers && !line.hasOddByte
        default:
            return !line.isNominated
        }
    }

    /// Names that only we may say: our own control fields, and spellings that an app folds onto a field that we set
    /// or that frames the message, since CGI writes `-` and `_` alike, and some servers any other byte.
    private static func isOurs(_ line: FieldLine, _ fields: borrowing FieldLines) -> Bool {
        if hasControlPrefix(fields.name(of: line)) { return true }
        return line.hasOddByte && fields.lookalike(of: line) != .other
    }

    /// `Pollhold-…` in any case, with anything that may be folded onto the hyphen.
    static func hasControlPrefix(_ name: Span<UInt8>) -> Bool {
        guard name.count >= 9, name.extracting(0..<8).equalsIgnoringCase("pollhold") else { return false }
        return !name[8].isASCIILetter && !name[8].isDecimalDigit
    }

    /// `X-Forwarded-…` in any case and in any spelling that may be folded onto it: apps read more of these than there
    /// are standards for, such as -Ssl, -Scheme and -Prefix.
    private static func hasForwardedPrefix(_ name: Span<UInt8>) -> Bool {
        guard name.count > 12, name[0] | 0x20 == 0x78 else { return false }
        let prefix: StaticString = "x-forwarded-"
        for index in 0..<12 {
            let isName = name[index].isASCIILetter || name[index].isDecimalDigit
            let byte = isName ? name[index].asciiLowercased : 0x2D
            guard unsafe byte == prefix.utf8Start[index] else { return false }
        }
        return true
    }

    private static func writeFraming(_ framing: BodyFraming, into writer: inout HTTPWriter) {
        switch framing {
        case .none, .untilClose: break
        case .length(let length): writer.field("Content-Length", decimal: length)
        case .chunked: writer.field("Transfer-Encoding", "chunked")
        }
    }

    /// Whether the client says that it can take trailers. A client of HTTP/1.0 gets no chunks to put them behind.
    private static func acceptsTrailers(_ head: borrowing RequestHead) -> Bool {
        guard head.fields.has(.te), head.version == .http11 else { return false }
        for line in head.fields.lines where line.name == .te {
            if ListField.contains(head.fields.value(of: line), "trailers") { return true }
        }
        return false
    }

    /// Writes the last chunk and the trailer fields of a message, request or response: behind the content, as they came
    /// and never among the fields of its head. What frames or routes has been refused by their reader; our own control
    /// fields are nobody else's to send.
    static func writeLastChunk(_ trailers: borrowing FieldLines, into writer: inout HTTPWriter) {
        writer.beginTrailers()
        for line in trailers.lines where !hasControlPrefix(trailers.name(of: line)) {
            writer.field(line, of: trailers)
        }
        writer.endOfHead()
    }
}
