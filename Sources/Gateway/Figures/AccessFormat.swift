/// The access log's two forms: `combined`, the line that Apache and nginx write, with further fields behind it as
/// `name=value`, and one JSON object a line.
///
/// The law: whatever a client, a proxy in front or the app's address says, a request is exactly one line, and a field
/// of the line ends where it should. In `combined` printable ASCII stands as it is but for `"` and `\`, all else as
/// `\xHH`; in JSON strings are escaped, and bytes that are no UTF-8 become U+FFFD.
import ByteText
package import HTTP1
import JSONText

package enum AccessFormat: Sendable {
    case combined
    case json

    /// Takes down what a request says of itself.
    ///
    /// - Parameters:
    ///   - time: seconds since 1970 and the milliseconds within.
    ///   - startedAt: when the head was complete, in nanoseconds of the loop's clock.
    ///   - receivedFor: how long it had taken to come.
    package func begin(
        _ head: borrowing RequestHead, client: ClientAddress, requestID: RequestID?,
        time: (seconds: Int64, milliseconds: Int), _ logTime: inout LogTime, startedAt: Int64, receivedFor: Int64
    ) -> AccessEntry {
        var (beginning, ending) = ([UInt8](), [UInt8]())
        appendBeginning(client, time, &logTime, to: &beginning)
        let userAgent = head.fields.first(of: "user-agent")
        switch self {
        case .combined:
            beginning.append("\"")
            beginning.append(logEscaped: head[head.methodRange])
            beginning.append(" ")
            beginning.append(logEscaped: head[head.targetRange])
            beginning.append(head.version == .http10 ? " HTTP/1.0\"" : " HTTP/1.1\"")
            ending.append(quoted: head.fields.first(of: .referer), of: head)
            ending.append(quoted: userAgent, of: head)
        case .json:
            beginning.append(#","method":"#)
            beginning.append(jsonEscapedLossy: head[head.methodRange])
            beginning.append(#","target":"#)
            beginning.append(jsonEscapedLossy: head[head.targetRange])
            beginning.append(head.version == .http10 ? #","protocol":"HTTP/1.0""# : #","protocol":"HTTP/1.1""#)
            ending.append(#","referer":"#)
            ending.append(json: head.fields.first(of: .referer), of: head)
            ending.append(#","user_agent":"#)
            ending.append(json: userAgent, of: head)
        }
        if let requestID {
            var id: [UInt8] = []
            requestID.append(to: &id)
            append("request_id", id.span, to: &ending)
        }
        return AccessEntry(
            self, beginning: beginning, ending: ending, startedAt: startedAt, receivedFor: receivedFor)
    }

    /// The same for a request that could not be read: nothing of it is told but who sent it.
    package func beginUnread(
        client: ClientAddress, time: (seconds: Int64, milliseconds: Int), _ logTime: inout LogTime, startedAt: Int64,
        receivedFor: Int64
    ) -> AccessEntry {
        var (beginning, ending) = ([UInt8](), [UInt8]())
        appendBeginning(client, time, &logTime, to: &beginning)
        switch self {
        case .combined:
            beginning.append(#""-""#)
            ending.append(#" "-" "-""#)
        case .json:
            beginning.append(#","method":null,"target":null,"protocol":null"#)
            ending.append(#","referer":null,"user_agent":null"#)
        }
        return AccessEntry(
            self, beginning: beginning, ending: ending, startedAt: startedAt, receivedFor: receivedFor)
    }

    private func appendBeginning(
        _ client: ClientAddress, _ time: (seconds: Int64, milliseconds: Int), _ logTime: inout LogTime,
        to line: inout [UInt8]
    ) {
        switch self {
        case .combined:
            line.append(contentsOf: client.text)
            line.append(" - - [")
            logTime.append(combined: time.seconds, to: &line)
            line.append("] ")
        case .json:
            line.append(#"{"time":""#)
            logTime.append(extended: time.seconds, time.milliseconds, to: &line)
            line.append(#"","client":""#)
            line.append(contentsOf: client.text)
            line.append("\"")
        }
    }

    // MARK: The end

    /// The whole line with its line feed.
    package static func line(_ entry: AccessEntry, _ outcome: AccessOutcome) -> [UInt8] {
        entry.format.line(entry, outcome)
    }

    private func line(_ entry: AccessEntry, _ outcome: AccessOutcome) -> [UInt8] {
        var line = entry.beginning
        line.reserveCapacity(line.count + entry.ending.count + 256)
        line.append(self == .combined ? " " : #","status":"#)
        line.append(decimal: UInt64(max(0, outcome.status)))
        line.append(self == .combined ? " " : #","bytes":"#)
        line.append(decimal: UInt64(max(0, outcome.bytes)))
        line.append(contentsOf: entry.ending)
        append("bytes_in", outcome.record?.requestBytes ?? 0, to: &line)
        appendTimes(entry, outcome, to: &line)
        if let server = outcome.server {
            let name = Array(server.utf8)
            append("server", name.span, to: &line)
            append("attempts", outcome.record?.attempts ?? 0, to: &line)
        }
        let end = Array(outcome.end.text.utf8)
        append("end", end.span, to: &line)
        if let poll = outcome.poll { append(poll, entry, to: &line) }
        line.append(self == .combined ? "\n" : "}\n")
        return line
    }

    private func append(_ poll: PollOutcome, _ entry: AccessEntry, to line: inout [UInt8]) {
        if let released = poll.released {
            append(milliseconds: "held", poll.releasedAt - entry.startedAt, to: &line)
            let release = Array(released.utf8)
            append("released", release.span, to: &line)
        }
        switch poll.course {
        case .hold(_, let messages): append("messages", messages, to: &line)
        case .recheck(let ending): append("questions", ending.questions, to: &line)
        case .passed: append("questions", 0, to: &line)
        case .observed(let observed):
            let word = Array(observed.rawValue.utf8)
            append("observed", word.span, to: &line)
        }
    }

    /// Each phase from the end of the one before, so that they add up to what has passed until the response began.
    private func appendTimes(_ entry: AccessEntry, _ outcome: AccessOutcome, to line: inout [UInt8]) {
        append(milliseconds: "received", entry.receivedFor, to: &line)
        if let record = outcome.record, let begun = record.begunAt {
            if let assigned = record.assignedAt {
                append(milliseconds: "queued", assigned - begun, to: &line)
                if let connected = record.connectedAt {
                    append(milliseconds: "connect", connected - assigned, to: &line)
                    if let responded = record.respondedAt {
                        append(milliseconds: "first_byte", responded - connected, to: &line)
                    }
                }
            } else {
                append(milliseconds: "queued", outcome.endedAt - begun, to: &line)
            }
        }
        append(milliseconds: "total", outcome.endedAt - entry.startedAt + entry.receivedFor, to: &line)
    }

    // MARK: Fields

    private func append(_ name: StaticString, _ value: Span<UInt8>, to line: inout [UInt8]) {
        appendName(name, to: &line)
        switch self {
        case .combined: line.append(logEscaped: value, isWord: true)
        case .json: line.append(jsonEscapedLossy: value)
        }
    }

    private func append(_ name: StaticString, _ value: Int, to line: inout [UInt8]) {
        appendName(name, to: &line)
        line.append(decimal: UInt64(max(0, value)))
    }

    private func append(milliseconds name: StaticString, _ nanoseconds: Int64, to line: inout [UInt8]) {
        appendName(name, suffix: "_ms", to: &line)
        line.append(decimal: UInt64(max(0, nanoseconds)) / 1_000_000)
        if self == .combined { line.append("ms") }
    }

    private func appendName(_ name: StaticString, suffix: StaticString = "", to line: inout [UInt8]) {
        switch self {
        case .combined:
            line.append(" ")
            line.append(name)
            line.append("=")
        case .json:
            line.append(#",""#)
            line.append(name)
            line.append(suffix)
            line.append(#"":"#)
        }
    }
}

extension [UInt8] {
    /// Appends what somebody else wrote: printable ASCII as it is, all else as `\xHH`.
    ///
    /// - Parameter isWord: it stands without quotes, so a space is written like all else.
    fileprivate mutating func append(logEscaped bytes: Span<UInt8>, isWord: Bool = false) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte > 0x20 || byte == 0x20 && !isWord, byte < 0x7F, byte != 0x22, byte != 0x5C {
                append(byte)
            } else {
                append("\\x")
                if byte < 16 { append("0") }
                append(hexadecimal: UInt64(byte))
            }
        }
    }

    fileprivate mutating func append(json line: FieldLine?, of head: borrowing RequestHead) {
        guard let line else { return append("null") }
        append(jsonEscapedLossy: head.fields.value(of: line))
    }

    /// ` "value"`, or ` "-"` for a field that is not there.
    fileprivate mutating func append(quoted line: FieldLine?, of head: borrowing RequestHead) {
        append(" \"")
        if let line { append(logEscaped: head.fields.value(of: line)) } else { append("-") }
        append("\"")
    }

    /// Appends a JSON string; bytes that are not UTF-8 become U+FFFD. U+007F to U+009F are escaped too: JSON may have
    /// them, but a terminal that shows the log obeys them.
    fileprivate mutating func append(jsonEscapedLossy bytes: Span<UInt8>) {
        let text = Array(bytes.string.utf8)
        var escaped: [UInt8] = []
        escaped.append(jsonEscaped: text.span)
        var index = 0
        while index < escaped.count {
            let byte = escaped[index]
            if byte == 0x7F {
                append("\\u007f")
            } else if byte == 0xC2, index + 1 < escaped.count, escaped[index + 1] < 0xA0 {
                append("\\u00")
                append(hexadecimal: UInt64(escaped[index + 1]))
                index += 1
            } else {
                append(byte)
            }
            index += 1
        }
    }
}
