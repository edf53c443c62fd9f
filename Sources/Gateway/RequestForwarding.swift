/// Writes the head of a request for the app: anew from the parsed parts, with one framing field and our own forwarding
/// fields (RFC 9110 §7.6; SECURITY W1 to W4).
import ByteText
package import HTTP1

package enum RequestForwarding {
    /// What the app is told about the connection on which the request came.
    package struct Client {
        /// The peer's address in numbers.
        package let address: [UInt8]
        package init(address: [UInt8]) { self.address = address }
    }

    /// The name by which we stand in Via.
    private static let pseudonym: StaticString = "pollhold"

    /// - Parameters:
    ///   - host: what the app is told as Host instead of what the client sent.
    package static func write(
        _ head: borrowing RequestHead, client: Client, host: [UInt8]?, upgrading: Bool, into writer: inout HTTPWriter
    ) {
        writeRequestLine(head, into: &writer)
        if let host {
            writer.field("Host", host.span)
        } else {
            writer.field("Host", head[head.hostRange])
        }
        for line in head.fields.lines where passes(head, line) { writer.field(line, of: head.fields) }
        writeFraming(head, into: &writer)
        writer.field("X-Forwarded-For", client.address.span)
        writer.field("X-Forwarded-Proto", "http")
        writer.field("X-Forwarded-Host", head[head.hostRange])
        writeVia(head, into: &writer)
        if upgrading, let range = head.upgradeRange {
            writer.field("Connection", "upgrade")
            writer.field("Upgrade", head[range])
        }
        writer.endOfHead()
    }

    /// Whether a line goes on as it is. What frames the message, belongs to the connection or is ours to say does not.
    private static func passes(_ head: borrowing RequestHead, _ line: FieldLine) -> Bool {
        switch line.name {
        case .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .upgrade, .te,
            .trailer,
            .http2Settings, .proxyAuthenticate, .proxyAuthorization, .via:
            return false
        case .xForwardedFor, .xForwardedProto, .xForwardedHost, .xForwardedPort, .forwarded:
            return false
        case .other:
            return !line.isNominated && !isOurs(line, head.fields)
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

    /// The target in origin form: the effective host stands in Host (RFC 9112 §3.2.2).
    private static func writeRequestLine(_ head: borrowing RequestHead, into writer: inout HTTPWriter) {
        guard head.targetForm == .absolute else {
            return writer.requestLine(head[head.methodRange], head[head.targetRange])
        }
        var target: [UInt8] = []
        target.append(head[head.pathRange])
        if target.isEmpty { target.append("/") }
        if let query = head.queryRange {
            target.append("?")
            target.append(head[query])
        }
        writer.requestLine(head[head.methodRange], target.span)
    }

    private static func writeFraming(_ head: borrowing RequestHead, into writer: inout HTTPWriter) {
        switch head.framing {
        case .none, .untilClose: break
        case .length(let length): writer.field("Content-Length", decimal: length)
        case .chunked: writer.field("Transfer-Encoding", "chunked")
        }
    }

    /// One Via line: what came, and us behind it.
    private static func writeVia(_ head: borrowing RequestHead, into writer: inout HTTPWriter) {
        writer.beginField("Via")
        for line in head.fields.lines where line.name == .via {
            writer.bytes.append(head.fields.value(of: line))
            writer.bytes.append(", ")
        }
        writer.bytes.append(head.version == .http10 ? "1.0 " : "1.1 ")
        writer.bytes.append(pseudonym)
        writer.endField()
    }
}
