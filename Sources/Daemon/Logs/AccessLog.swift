/// One line a request, when it is over. What a line says is `AccessFormat`'s business; this is where it goes.
import ConfigFile
import Gateway
import HTTP1
import Reactor

struct AccessLog {
    private let writer: LogWriter
    private let format: AccessFormat
    private var time = LogTime()

    init(writer: LogWriter, format: AccessFormat) {
        self.writer = writer
        self.format = format
    }

    /// A writer for where the configuration wants the access log; nil: nowhere.
    ///
    /// - Parameter operational: the operational log's writer, shared if both go to standard error.
    static func writer(
        for log: Configuration.Log, sharing operational: LogWriter
    ) throws(Server.StartError) -> LogWriter? {
        do throws(SystemError) {
            switch log.access {
            case .off: return nil
            case .standardError: return operational
            case .standardOutput: return try LogWriter(.standardOutput, isJSON: log.accessFormat == .json)
            case .file(let path): return try LogWriter(.file(path: path), isJSON: log.accessFormat == .json)
            }
        } catch {
            throw Server.StartError(description: "can't write log.access: \(error)\(Self.place(log.access))")
        }
    }

    private static func place(_ access: Configuration.Log.Access) -> String {
        if case .file(let path) = access { " (\(path))" } else { "" }
    }

    mutating func begin(
        _ head: borrowing RequestHead, client: ClientAddress, requestID: RequestID?, now: Int64, begunAt: Int64
    ) -> AccessEntry {
        format.begin(
            head, client: client, requestID: requestID, time: Self.now, &time, startedAt: now,
            receivedFor: now - begunAt)
    }

    /// For a request whose head could not be read.
    mutating func beginUnread(client: ClientAddress, now: Int64, begunAt: Int64) -> AccessEntry {
        format.beginUnread(client: client, time: Self.now, &time, startedAt: now, receivedFor: now - begunAt)
    }

    func end(_ entry: AccessEntry, _ outcome: AccessOutcome) {
        let line = AccessFormat.line(entry, outcome)
        writer.write(line.span)
    }

    private static var now: (seconds: Int64, milliseconds: Int) {
        let now = WallTime.now
        return (Int64(now.seconds), now.microseconds / 1000)
    }
}
