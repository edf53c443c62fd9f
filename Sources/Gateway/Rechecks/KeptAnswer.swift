/// An app's answer that said "nothing new", kept for when the app can't give another: its status, end-to-end fields and
/// body, to be written for whichever connection it goes out on.
import ByteText
package import HTTP1

package struct KeptAnswer: Equatable, Sendable {
    /// Larger answers are not kept: "nothing new" is short, and there may be one for every client.
    private static let bytesLimit = 2048

    package let status: Int
    /// The head without a Connection field and without its empty line.
    private let head: [UInt8]
    private let body: [UInt8]

    /// An answer that is written several times at once, however large.
    package init(whole head: borrowing ResponseHead, body: [UInt8]) {
        var writer = HTTPWriter()
        let framing = head.framing == .none ? BodyFraming.none : .length(UInt64(body.count))
        ResponseForwarding.write(head, framing: framing, clientIsHTTP10: false, keepsAlive: true, into: &writer)
        status = head.status
        self.head = Array(writer.bytes.dropLast(2))
        self.body = body
    }

    /// Nil for an answer that is too large.
    package init?(_ head: borrowing ResponseHead, body: [UInt8]) {
        self.init(whole: head, body: body)
        guard bytes <= Self.bytesLimit else { return nil }
    }

    /// What the route says where the app never said it; without that, 204.
    package init(_ empty: HoldRoute.EmptyAnswer?, date: DateField) {
        var writer = HTTPWriter()
        status = empty?.status ?? (empty?.body == nil ? 204 : 200)
        body = status == 204 ? [] : empty?.body ?? []
        writer.statusLine(status)
        var namesContentType = false
        for field in empty?.fields ?? [] {
            writer.field(field.name.span, field.value.span)
            namesContentType = namesContentType || field.name.span.equalsIgnoringCase("content-type")
        }
        if !namesContentType, !body.isEmpty { writer.field("Content-Type", "application/json") }
        writer.field("Cache-Control", "no-store")
        writer.field("Date", date.value.span)
        if status != 204 { writer.field("Content-Length", decimal: UInt64(body.count)) }
        head = writer.bytes
    }

    func write(to writer: inout RecordWriter) {
        writer.put(UInt64(status))
        writer.put(head)
        writer.put(body)
    }

    init(_ reader: inout RecordReader) throws(RecordError) {
        status = Int(truncatingIfNeeded: try reader.number())
        head = try reader.text()
        body = try reader.text()
    }

    /// For comparing the next answer with this one.
    package var digest: RequestIdentity.BodyDigest { RequestIdentity.digest(of: body) }

    package var bytes: Int { head.count + body.count }

    /// Writes it for a client.
    ///
    /// - Returns: bytes of the body.
    package func write(for manner: RequestManner, into writer: inout HTTPWriter) -> Int {
        writer.bytes.append(contentsOf: head)
        manner.writeConnectionField(into: &writer)
        writer.endOfHead()
        guard !manner.isHeadOnly else { return 0 }
        writer.bytes.append(contentsOf: body)
        return body.count
    }
}
