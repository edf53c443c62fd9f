/// Heads for tests, read by the real readers from text.
import ConfigFile
import Gateway
import HTTP1
import Testing

struct TestFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Reads a request's head; line breaks of the text stand for CRLF, and the empty line behind it is added.
func withRequest<Result>(_ text: String, _ body: (borrowing RequestHead) throws -> Result) throws -> Result {
    let bytes = Array((text.replacing("\n", with: "\r\n") + "\r\n\r\n").utf8)
    var head = RequestHead()
    var reader = RequestReader()
    var position = 0
    let event = try reader.next(bytes.span, &position, head: &head, limits: HeadLimits())
    guard event == .head else { throw TestFailure("no head: \(event)") }
    return try body(head)
}

/// The same for a response to `method`.
func withResponse<Result>(
    _ text: String, to method: HTTP1.Method = .get, upgrade: Bool = false,
    _ body: (borrowing ResponseHead) throws -> Result
) throws -> Result {
    let bytes = Array((text.replacing("\n", with: "\r\n") + "\r\n\r\n").utf8)
    var head = ResponseHead()
    var reader = ResponseReader()
    reader.awaitResponse(to: method, upgrade: upgrade)
    var position = 0
    let event = try reader.next(bytes.span, &position, head: &head, limits: HeadLimits())
    switch event {
    case .head, .interimHead, .switchingProtocols: return try body(head)
    default: throw TestFailure("no head: \(event)")
    }
}

/// How requests are passed on that no route of the configuration takes.
///
/// - Parameter upstream: keys of `upstream` beside the server.
func proxyRoute(_ upstream: String = "") throws -> ProxyRoute {
    let text = "upstream: { server: http://127.0.0.1:1, \(upstream) }"
    let configuration = try Configuration.load(text: text, file: "test.yaml", environment: [:])
    return ProxyRoute(configuration.proxy, configuration.upstream)
}

/// What a writer wrote, with LF for CRLF and without the empty line.
func text(_ writer: HTTPWriter) -> String { text(writer.bytes) }

func text(_ bytes: [UInt8]) -> String {
    let text = String(decoding: bytes, as: UTF8.self).replacing("\r\n", with: "\n")
    return text.hasSuffix("\n\n") ? String(text.dropLast(2)) : text
}
