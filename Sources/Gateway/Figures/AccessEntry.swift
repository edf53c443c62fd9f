/// One request on its way to the access log: what it said of itself, and what came of it.
import ByteText

/// What is kept of a request until it is over. A class, so that a connection without a log has one word for it.
package final class AccessEntry {
    /// A reload may change the log's form meanwhile; a line has one.
    let format: AccessFormat
    /// The line's beginning, up to the status.
    let beginning: [UInt8]
    /// What the request said and what stands behind status and bytes.
    let ending: [UInt8]
    /// When the head was complete, in nanoseconds of the loop's clock, and how long it had taken to come.
    let startedAt: Int64
    let receivedFor: Int64

    init(
        _ format: AccessFormat, beginning: [UInt8], ending: [UInt8], startedAt: Int64, receivedFor: Int64
    ) {
        self.format = format
        self.beginning = beginning
        self.ending = ending
        self.startedAt = startedAt
        self.receivedFor = receivedFor
    }
}

/// How a request ended.
package struct AccessOutcome {
    /// Of the response; 499 if the client left before there was one.
    package var status: Int
    /// Of the response's body.
    package var bytes: Int
    package var end: ExchangeRecord.End
    /// When, in nanoseconds of the loop's clock.
    package var endedAt: Int64
    /// What became of it at the app; nil: it was not sent there.
    package var record: ExchangeRecord?
    /// The server that the record names.
    package var server: String?
    /// nil: it was no poll.
    package var poll: PollOutcome?

    package init(status: Int, bytes: Int, end: ExchangeRecord.End, endedAt: Int64) {
        self.status = status
        self.bytes = bytes
        self.end = end
        self.endedAt = endedAt
    }
}

/// The wall clock as log lines have it. Each text is made once a second.
package struct LogTime {
    private var seconds = Int64.min
    /// `24/Nov/2026:10:47:05 +0000`
    private var combined: [UInt8] = []
    /// `2026-11-24T10:47:05`
    private var extended: [UInt8] = []

    package init() {}

    /// `24/Nov/2026:10:47:05 +0000`
    mutating func append(combined seconds: Int64, to line: inout [UInt8]) {
        refresh(seconds)
        line.append(contentsOf: combined)
    }

    /// `2026-11-24T10:47:05.123Z`
    mutating func append(extended seconds: Int64, _ milliseconds: Int, to line: inout [UInt8]) {
        refresh(seconds)
        line.append(contentsOf: extended)
        line.append(".")
        line.append(padded: Int64(milliseconds), 3)
        line.append("Z")
    }

    private mutating func refresh(_ seconds: Int64) {
        guard seconds != self.seconds else { return }
        self.seconds = seconds
        let (year, month, day) = DateField.civilDate(daysSince1970: seconds / 86400)
        let clock = [seconds % 86400 / 3600, seconds / 60 % 60, seconds % 60]
        combined = []
        combined.append(padded: day, 2)
        combined.append("/")
        combined.append(contentsOf: DateField.months[Int(month) - 1].utf8)
        combined.append("/")
        combined.append(padded: year, 4)
        for part in clock {
            combined.append(":")
            combined.append(padded: part, 2)
        }
        combined.append(" +0000")
        extended = []
        for (index, part) in [year, month, day].enumerated() {
            if index > 0 { extended.append("-") }
            extended.append(padded: part, index == 0 ? 4 : 2)
        }
        for (index, part) in clock.enumerated() {
            extended.append(index == 0 ? "T" : ":")
            extended.append(padded: part, 2)
        }
    }
}

extension [UInt8] {
    /// Appends a number that is not negative, with zeros in front of it up to a width.
    fileprivate mutating func append(padded number: Int64, _ width: Int) {
        var bound: Int64 = 10
        for _ in 1..<width {
            if number < bound { append(0x30) }
            bound *= 10
        }
        append(decimal: UInt64(Swift.max(0, number)))
    }
}
