/// How far a request has come and may still go: Via and Max-Forwards (RFC 9110 §7.6.2, §7.6.3).
import ByteText
package import HTTP1

extension RequestForwarding {
    /// The name by which we stand in Via.
    private static let pseudonym: StaticString = "pollhold"
    /// How often a request may have come through a Pollhold. Several may stand behind one another, and they all bear
    /// one name, so the first time is no loop; a loop ends after as many turns.
    static let passesLimit = 4

    /// What a request is told that goes no further: it has been here too often, or it says itself that it ends here.
    package static func endOfHops(_ head: borrowing RequestHead) -> PlainAnswer? {
        if head.fields.has(.via), passes(head) >= passesLimit {
            return PlainAnswer(status: 508, reason: "The request has come through here \(passesLimit) times already.")
        }
        guard limitsHops(head), hopsLeft(head) == 0 else { return nil }
        guard head.method == .options else {
            // TRACE would be answered with the request itself, cookies and all.
            var answer = PlainAnswer(status: 405, reason: "TRACE is not answered here.")
            answer.allow = "OPTIONS"
            return answer
        }
        return PlainAnswer(status: 204, reason: "")
    }

    /// Whether Max-Forwards is ours to look at: it has a meaning for two methods. A value that is no number has none.
    static func limitsHops(_ head: borrowing RequestHead) -> Bool {
        guard head.fields.has(.maxForwards) else { return false }
        return (head.method == .options || head.method == .trace) && hopsLeft(head) != nil
    }

    private static func hopsLeft(_ head: borrowing RequestHead) -> UInt64? {
        guard let line = head.fields.first(of: .maxForwards), head.fields.count(of: .maxForwards) == 1
        else { return nil }
        return head.fields.value(of: line).decimalValue
    }

    /// How often we, or one of our name, stand in Via. Its elements are a protocol, a name and perhaps a comment; a
    /// comma in a comment may make one more of them, which is to the harm of its writer alone.
    private static func passes(_ head: borrowing RequestHead) -> Int {
        var count = 0
        for line in head.fields.lines where line.name == .via {
            let value = head.fields.value(of: line)
            var list = ListField(value)
            while let element = list.next() {
                let text = value.extracting(element)
                guard var start = text.firstIndex(of: 0x20) else { continue }
                while start < text.count, text[start] == 0x20 { start += 1 }
                let end = text.firstIndex(of: 0x20, from: start) ?? text.count
                if text.extracting(start..<end).equalsIgnoringCase(pseudonym) { count += 1 }
            }
        }
        return count
    }

    /// One Via line, what came and us behind it; and one hop less.
    static func writeHops(_ head: borrowing RequestHead, into writer: inout HTTPWriter) {
        if limitsHops(head), let left = hopsLeft(head), left > 0 {
            writer.field("Max-Forwards", decimal: UInt64(left - 1))
        }
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
