/// Which requests are the same as far as the app's answer is concerned, as a digest: method, target and every field
/// that goes to the app, the client's address, and a body.
///
/// Two requests that differ in anything that the app can see have different identities, so that nobody is held on
/// account of another's answer. Only what tells requests apart by design is left out: query parameters that defeat
/// caches, and the fields that trace a request.
import ByteText
package import HTTP1

package struct RequestIdentity: Hashable, Sendable {
    // Two digests of 64 bits under the process' own seed, each of everything.
    private let first: Int
    private let second: Int

    package init(_ head: borrowing RequestHead, client: ClientAddress, body: [UInt8], ignoring: [[UInt8]]) {
        var text: [UInt8] = []
        text.append(head[head.methodRange])
        text.append(" ")
        text.append(head[head.hostRange])
        text.append(head[head.pathRange])
        Self.append(head, ignoring, to: &text)
        for line in head.fields.lines where !Self.isPassing(head.fields.name(of: line), line.name) {
            text.append("\n")
            for index in 0..<head.fields.name(of: line).count {
                text.append(head.fields.name(of: line)[index].asciiLowercased)
            }
            text.append(":")
            text.append(head.fields.value(of: line))
        }
        text.append("\n\n")
        text.append(contentsOf: client.text)
        text.append("\n")
        text.append(contentsOf: body)
        self.init(text)
    }

    /// - Parameter text: all that tells the request from others.
    package init(_ text: [UInt8]) {
        first = Self.digest(text, 1)
        second = Self.digest(text, 2)
    }

    /// Of a request whose head is not known: no other request is the same.
    init(adopted serial: UInt64) {
        // A blank begins no request's method.
        self.init(Array(" adopted \(serial)".utf8))
    }

    private static func digest(_ text: [UInt8], _ number: Int) -> Int {
        var hasher = Hasher()
        hasher.combine(number)
        unsafe text.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    /// A digest of a body, for comparing it with the last one.
    package static func digest(of body: [UInt8]) -> BodyDigest {
        BodyDigest(first: digest(body, 1), second: digest(body, 2))
    }

    package struct BodyDigest: Hashable, Sendable {
        fileprivate let first: Int
        fileprivate let second: Int
    }

    private static func append(_ head: borrowing RequestHead, _ ignoring: [[UInt8]], to text: inout [UInt8]) {
        guard let query = head.queryRange else { return }
        text.append("?")
        var items = QueryItems(head[query])
        while let item = items.next() {
            let name = head[query].extracting(item.name)
            if ignoring.contains(where: { name.equals($0.span) }) { continue }
            text.append(head[query].extracting(item.name.lowerBound..<item.value.upperBound))
            text.append("&")
        }
    }

    /// Fields that are another with every request, or that belong to the connection.
    private static func isPassing(_ name: Span<UInt8>, _ known: FieldName) -> Bool {
        switch known {
        case .connection, .keepAlive, .te, .xRequestID: return true
        case .other: break
        default: return false
        }
        let passing: [StaticString] = [
            "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-amzn-trace-id",
        ]
        for passed in passing where name.equalsIgnoringCase(passed) { return true }
        return false
    }
}
