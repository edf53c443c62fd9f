/// Writes the head of an app's response for the client: end-to-end fields as they came, framing and connection fields
/// our own (RFC 9110 §7.6.1).
import ByteText
package import HTTP1

package enum ResponseForwarding {
    /// - Parameters:
    ///   - framing: how the body that follows is framed for this client.
    ///   - keepsAlive: the client's connection stays open behind it.
    ///   - cookies: further Set-Cookie lines, our own.
    ///   - requestID: what the client is told as X-Request-Id, whatever the app says.
    package static func write(
        _ head: borrowing ResponseHead, framing: BodyFraming, clientIsHTTP10: Bool, keepsAlive: Bool,
        cookies: [[UInt8]] = [], requestID: RequestID? = nil, into writer: inout HTTPWriter
    ) {
        writer.statusLine(of: head)
        for line in head.fields.lines where passes(head, line) {
            if line.name == .xRequestID, requestID != nil { continue }
            writer.field(line, of: head.fields)
        }
        for cookie in cookies { writer.field("Set-Cookie", cookie.span) }
        if head.status == 101 {
            writer.field("Connection", "upgrade")
        } else if !head.isInterim {
            switch framing {
            case .chunked: writer.field("Transfer-Encoding", "chunked")
            case .length(let length): writer.field("Content-Length", decimal: length)
            case .none: writeLengthOfNothing(head, into: &writer)
            case .untilClose: break
            }
            if !keepsAlive {
                writer.field("Connection", "close")
            } else if clientIsHTTP10 {
                writer.field("Connection", "keep-alive")
            }
        }
        if !head.isInterim { requestID?.writeField(into: &writer) }
        writer.endOfHead()
    }

    private static func passes(_ head: borrowing ResponseHead, _ line: FieldLine) -> Bool {
        switch line.name {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .contentLength, .trailer, .te: return false
        case .upgrade: return head.status == 101 || head.status == 426
        case .other: return !line.isNominated && !RequestForwarding.hasControlPrefix(head.fields.name(of: line))
        default: return !line.isNominated
        }
    }

    /// The answer to HEAD, and a 304, may say how long the body would have been (RFC 9110 §8.6); that is information
    /// and passes. A 204 says nothing.
    private static func writeLengthOfNothing(_ head: borrowing ResponseHead, into writer: inout HTTPWriter) {
        guard head.status != 204, let line = head.fields.first(of: .contentLength) else { return }
        writer.field(line, of: head.fields)
    }
}
