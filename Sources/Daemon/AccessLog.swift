/// One line a request, when it is over: the fields of the combined log format, and for a poll how long it was held,
/// why it was released and with how many messages.
///
/// Nothing that a client sent can break a line: quotes, backslashes and control bytes are escaped.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import JSONText
import Reactor

/// What is kept of a request until it is over. A class, so that a connection without a log has one word for it.
final class AccessEntry {
    /// The beginning of the line: everything that the request itself said.
    let beginning: [UInt8]
    /// Referer and User-Agent, for the line's end.
    let ending: [UInt8]
    let startedAt: Int64

    init(beginning: [UInt8], ending: [UInt8], startedAt: Int64) {
        self.beginning = beginning
        self.ending = ending
        self.startedAt = startedAt
    }
}

struct AccessLog {
    enum Format: Equatable {
        case text
        case json
    }

    private let writer: LogWriter
    private let format: Format

    init(writer: LogWriter, format: Format) {
        self.writer = writer
        self.format = format
    }

    func reopen() { writer.reopen() }

    /// A writer for where the configuration wants the access log; nil: nowhere.
    ///
    /// - Parameter operational: the operational log's writer, shared if both go to standard error.
    static func writer(
        for log: Configuration.Log, sharing operational: LogWriter
    ) throws(SystemError) -> LogWriter? {
        switch log.access {
        case .off: nil
        case .standardError: operational
        case .standardOutput: try LogWriter(.standardOutput, isJSON: log.accessFormat == .json)
        case .file(let path): try LogWriter(.file(path: path), isJSON: log.accessFormat == .json)
        }
    }

    /// Takes down what the request says of itself.
    func begin(
        _ head: borrowing RequestHead, client: ClientAddress, requestID: RequestID?, now: Int64
    ) -> AccessEntry {
        var beginning: [UInt8] = []
        var ending: [UInt8] = []
        let version: StaticString = head.version == .http10 ? " HTTP/1.0" : " HTTP/1.1"
        switch format {
        case .text:
            beginning.append(contentsOf: client.text)
            beginning.append(contentsOf: " - - [\(WallTime.now.commonLogText)] \"".utf8)
            beginning.append(logEscaped: head[head.methodRange])
            beginning.append(" ")
            beginning.append(logEscaped: head[head.targetRange])
            beginning.append(version)
            beginning.append("\"")
            ending.append(quoted: head.fields.first(of: .referer), of: head)
            ending.append(quoted: head.fields.first(of: "user-agent"), of: head)
            if let requestID {
                ending.append(" request_id=")
                requestID.append(to: &ending)
            }
        case .json:
            beginning.append(contentsOf: #"{"time":"\#(WallTime.now.isoText)","client":""#.utf8)
            beginning.append(contentsOf: client.text)
            beginning.append(#"","method":"#)
            beginning.append(jsonEscapedLossy: head[head.methodRange])
            beginning.append(#","target":"#)
            beginning.append(jsonEscapedLossy: head[head.targetRange])
            ending.append(#","referer":"#)
            ending.append(json: head.fields.first(of: .referer), of: head)
            ending.append(#","user_agent":"#)
            ending.append(json: head.fields.first(of: "user-agent"), of: head)
            if let requestID {
                ending.append(#","request_id":""#)
                requestID.append(to: &ending)
                ending.append("\"")
            }
        }
        return AccessEntry(beginning: beginning, ending: ending, startedAt: now)
    }

    /// Writes the line.
    ///
    /// - Parameters:
    ///   - bytes: of the body that was sent.
    func end(_ entry: AccessEntry, status: Int, bytes: Int, poll: PollAnswer?, now: Int64) {
        var line = entry.beginning
        let milliseconds = UInt64(max(0, now - entry.startedAt) / 1_000_000)
        switch format {
        case .text:
            line.append(contentsOf: " \(status) \(bytes)".utf8)
            line.append(contentsOf: entry.ending)
            line.append(contentsOf: " duration=\(milliseconds)ms".utf8)
            if let poll {
                line.append(
                    contentsOf: " held=\(milliseconds)ms released=\(poll.release.rawValue) messages=\(poll.messages)"
                        .utf8)
            }
            line.append("\n")
        case .json:
            line.append(contentsOf: #","status":\#(status),"bytes":\#(bytes),"duration_ms":\#(milliseconds)"#.utf8)
            line.append(contentsOf: entry.ending)
            if let poll {
                let text =
                    #","held_ms":\#(milliseconds),"released":"\#(poll.release.rawValue)","messages":\#(poll.messages)"#
                line.append(contentsOf: text.utf8)
            }
            line.append("}\n")
        }
        writer.write(line.span)
    }
}

extension [UInt8] {
    /// Appends what a client sent: printable ASCII as it is, all else as `\xHH`.
    fileprivate mutating func append(logEscaped bytes: Span<UInt8>) {
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte >= 0x20, byte < 0x7F, byte != 0x22, byte != 0x5C {
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

    /// Appends a JSON string; bytes that are not UTF-8 become U+FFFD.
    fileprivate mutating func append(jsonEscapedLossy bytes: Span<UInt8>) {
        let text = Array(bytes.string.utf8)
        append(jsonEscaped: text.span)
    }
}
