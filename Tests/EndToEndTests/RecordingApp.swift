import Foundation

/// A request as it came to the app, byte by byte.
struct RecordedRequest: Equatable, Sendable {
    let head: String
    /// The content without its framing.
    var content: [UInt8] = []
    /// Of chunked content; nil: another framing or none.
    var trailers: [String]?

    private var lines: [String] { head.components(separatedBy: "\r\n") }
    var method: String { String(lines[0].prefix { $0 != " " }) }
    var target: String { lines[0].components(separatedBy: " ").dropFirst().dropLast().joined(separator: " ") }
    var version: String { lines[0].components(separatedBy: " ").last ?? "" }

    /// Names in lower case, in the order of the names, since the order of different fields has no meaning; those of one
    /// name in theirs, which has.
    var fields: [(name: String, value: String)] {
        let all = lines.dropFirst().filter { !$0.isEmpty }.map { line in
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            return (name: parts[0].lowercased(), value: parts.count > 1 ? String(parts[1].drop { $0 == " " }) : "")
        }
        return all.enumerated().sorted { ($0.element.name, $0.offset) < ($1.element.name, $1.offset) }.map(\.element)
    }

    /// `METHOD target`, and how much content there was.
    var summary: String { "\(method) \(target) \(content.count)" }
}

/// An app that keeps every request and answers each with 200.
final class RecordingApp: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [RecordedRequest] = []
    private var broken: [String] = []
    private(set) var app: TestApp!

    init() throws {
        app = try TestApp(handler: { [weak self] connection, _ in
            while let bytes = connection.readHeadBytes(), let self {
                let head = String(latin1: bytes)
                guard let request = Self.read(head, connection) else {
                    lock.withLock { broken.append(head) }
                    return
                }
                lock.withLock { kept.append(request) }
                connection.send(
                    request.method == "HEAD"
                        ? "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" : TestApp.plain("ok"))
            }
        })
    }

    var port: UInt16 { app.port }

    /// Whether a request has come that broke off.
    var hasPart: Bool { lock.withLock { !broken.isEmpty } }

    /// The requests since the last call, and heads of those that did not come whole.
    func take() -> (whole: [RecordedRequest], broken: [String]) {
        lock.withLock {
            defer { (kept, broken) = ([], []) }
            return (kept, broken)
        }
    }

    private static func read(_ head: String, _ connection: TestApp.Connection) -> RecordedRequest? {
        var request = RecordedRequest(head: head)
        func value(_ name: String) -> String? { request.fields.first { $0.name == name }?.value }
        if value("transfer-encoding")?.lowercased() == "chunked" {
            while true {
                guard let size = Int(connection.readLine().prefix { $0 != ";" }, radix: 16) else { return nil }
                if size == 0 { break }
                let part = connection.read(count: size)
                guard part.count == size, connection.readLine().isEmpty else { return nil }
                request.content += part
            }
            var trailers: [String] = []
            while true {
                let line = connection.readLine()
                if line.isEmpty { break }
                trailers.append(line)
            }
            request.trailers = trailers
        } else if let length = value("content-length").flatMap({ Int($0) }) {
            request.content = connection.read(count: length)
            guard request.content.count == length else { return nil }
        }
        return request
    }
}

extension String {
    /// Bytes as text, each of them one character, so that nothing of them is lost.
    init(latin1 bytes: [UInt8]) { self = String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) })) }
}
