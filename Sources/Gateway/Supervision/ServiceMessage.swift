/// What the service manager is told about this process, in the lines that sd_notify(3) names.
package enum ServiceMessage: Equatable, Sendable {
    /// It serves: after the start, and after each reload, whatever has become of it.
    case ready(status: String)
    /// A reload has begun at this moment of the monotonic clock; `ready` ends it.
    case reloading(microseconds: Int64)
    /// It is about to end, and needs that long at most.
    case stopping(within: Duration, status: String)
    /// From now on this process is the one that counts.
    case mainProcess(Int32)
    /// The watchdog's sign of life.
    case alive

    /// Bytes of a status: the manager shows one line, and refuses a datagram beyond a page.
    package static let statusBytesLimit = 1024

    package var text: String {
        switch self {
        case .ready(let status): "READY=1\nSTATUS=\(Self.line(status))"
        case .reloading(let microseconds): "RELOADING=1\nMONOTONIC_USEC=\(microseconds)\nSTATUS=reloading"
        case .stopping(let time, let status):
            // A second more, so that the manager's kill doesn't race with what we cut off ourselves.
            "STOPPING=1\nEXTEND_TIMEOUT_USEC=\(Self.microseconds(time) + 1_000_000)\nSTATUS=\(Self.line(status))"
        case .mainProcess(let id): "MAINPID=\(id)"
        case .alive: "WATCHDOG=1"
        }
    }

    private static func microseconds(_ time: Duration) -> Int64 {
        time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000
    }

    /// A line's end would begin another assignment.
    private static func line(_ text: String) -> String {
        let bytes = text.utf8.prefix(statusBytesLimit).map { $0 < 0x20 ? UInt8(ascii: " ") : $0 }
        return String(decoding: bytes, as: UTF8.self)
    }
}
