/// The operational log: what the daemon itself has to say, one line each, as text or JSON, through swift-log.
import ByteText
package import ConfigFile
import JSONText
package import Logging
import Reactor

package struct OperationalLog: LogHandler {
    package enum Format: Sendable {
        case text
        case json
    }

    /// What a reload changes for all loggers there are, each of which is a copy.
    package final class Settings: Sendable {
        private let kept: Guarded<(level: Logger.Level, format: Format)>

        package init(_ log: Configuration.Log) {
            kept = Guarded((OperationalLog.level(log.level), log.format == .json ? .json : .text))
        }

        package func change(to log: Configuration.Log) {
            kept.withLock { $0 = (OperationalLog.level(log.level), log.format == .json ? .json : .text) }
        }

        fileprivate var level: Logger.Level {
            get { kept.withLock { $0.level } }
            set { kept.withLock { $0.level = newValue } }
        }

        fileprivate var format: Format { kept.withLock { $0.format } }
    }

    private let writer: LogWriter
    private let settings: Settings
    package var logLevel: Logger.Level {
        get { settings.level }
        set { settings.level = newValue }
    }
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    /// A logger whose lines go to `writer`.
    package static func logger(writer: LogWriter, settings: Settings) -> Logger {
        Logger(label: "pollhold") { _ in OperationalLog(writer: writer, settings: settings) }
    }

    package static func level(_ level: Configuration.Log.Level) -> Logger.Level {
        switch level {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }

    private init(writer: LogWriter, settings: Settings) {
        self.writer = writer
        self.settings = settings
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        var line: [UInt8] = []
        switch settings.format {
        case .text:
            line.append(contentsOf: WallTime.now.isoText.utf8)
            line.append(contentsOf: " \(event.level) ".utf8)
            line.append(contentsOf: Self.withoutControls(event.message.description).utf8)
            for (key, value) in fields {
                line.append(contentsOf: " \(key)=\(Self.withoutControls(value.description))".utf8)
            }
        case .json:
            line.append(contentsOf: #"{"time":""#.utf8)
            line.append(contentsOf: WallTime.now.isoText.utf8)
            line.append(contentsOf: #"","level":"\#(event.level)","message":"#.utf8)
            line.append(jsonText: event.message.description)
            for (key, value) in fields {
                line.append(0x2C)
                line.append(jsonText: key)
                line.append(0x3A)
                line.append(jsonText: value.description)
            }
            line.append(0x7D)
        }
        line.append(0x0A)
        writer.write(line.span)
    }

    /// A log line stays one line, whatever an error carries.
    private static func withoutControls(_ text: String) -> String {
        String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
    }
}
