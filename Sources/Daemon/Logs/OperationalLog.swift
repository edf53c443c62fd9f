/// The operational log: what the daemon itself has to say, one line each, as text or JSON, through swift-log.
import ByteText
package import ConfigFile
import JSONText
package import Logging

package struct OperationalLog: LogHandler {
    package enum Format: Sendable {
        case text
        case json
    }

    private let writer: LogWriter
    private let format: Format
    package var logLevel: Logger.Level
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?

    /// A logger whose lines go to `writer`.
    package static func logger(writer: LogWriter, format: Format, level: Logger.Level) -> Logger {
        var logger = Logger(label: "pollhold") { _ in OperationalLog(writer: writer, format: format, logLevel: level) }
        logger.logLevel = level
        return logger
    }

    package static func level(_ level: Configuration.Log.Level) -> Logger.Level {
        switch level {
        case .debug: .debug
        case .info: .info
        case .warning: .warning
        case .error: .error
        }
    }

    private init(writer: LogWriter, format: Format, logLevel: Logger.Level) {
        self.writer = writer
        self.format = format
        self.logLevel = logLevel
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let fields = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        var line: [UInt8] = []
        switch format {
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
