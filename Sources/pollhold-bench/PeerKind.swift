/// The servers that are measured side by side, and what each can do.
import Foundation

enum PeerKind: String, CaseIterable, Codable {
    case pollhold
    case bareLoop = "bare loop"
    case nchan
    case pushpin
    case nginx
    case haproxy

    var holdsPolls: Bool { self != .nginx && self != .haproxy }
    var proxies: Bool { self == .pollhold || self == .nginx || self == .haproxy }

    /// Why it can't be measured here; nil if it can.
    var absence: String? {
        switch self {
        case .pollhold, .bareLoop:
            return FileManager.default.isExecutableFile(atPath: program) ? nil : "\(program) is not built"
        case .nchan where !FileManager.default.fileExists(atPath: Self.nchanModule):
            return "\(Self.nchanModule) is not there (apt: libnginx-mod-nchan)"
        case .pushpin where Self.find("zurl") == nil || Self.find("condure") == nil:
            return "zurl or condure is not installed (apt: pushpin)"
        default: return Self.find(programName) == nil ? "\(programName) is not installed (apt: \(programName))" : nil
        }
    }

    /// Processes that it has once it serves.
    func processCount(workers: Int) -> Int {
        switch self {
        case .pollhold, .bareLoop, .haproxy: 1
        case .nchan, .nginx: 1 + workers
        // zurl, pushpin, condure, pushpin-proxy, pushpin-handler
        case .pushpin: 5
        }
    }

    static let nchanModule = "/usr/lib/nginx/modules/ngx_nchan_module.so"

    private var programName: String {
        switch self {
        case .pollhold: "pollhold"
        case .bareLoop: "bare-loop"
        case .nchan, .nginx: "nginx"
        case .pushpin: "pushpin"
        case .haproxy: "haproxy"
        }
    }

    /// Ours stand beside this program, where SwiftPM has built all of them.
    var program: String {
        switch self {
        case .pollhold, .bareLoop: Self.buildDirectory + "/" + programName
        default: Self.find(programName) ?? programName
        }
    }

    static let buildDirectory =
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().path

    /// A program on the path, or where servers stand.
    static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/usr/local/sbin"]
        return folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    var version: String {
        let (arguments, pattern): ([String], String)
        switch self {
        case .pollhold: (arguments, pattern) = (["--version"], "")
        case .bareLoop: return ""
        case .nchan, .nginx: (arguments, pattern) = (["-v"], "nginx/")
        case .pushpin: (arguments, pattern) = (["--version"], "pushpin ")
        case .haproxy: (arguments, pattern) = (["-v"], "HAProxy version ")
        }
        let text = output(of: program, arguments)
        guard let start = pattern.isEmpty ? text.startIndex : text.range(of: pattern)?.upperBound else { return "" }
        return String(text[start...].prefix { !$0.isWhitespace })
    }

    private func output(of program: String, _ arguments: [String]) -> String {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardOutput = pipe
        process.standardError = pipe
        do { try process.run() } catch { return "" }
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return text
    }
}
