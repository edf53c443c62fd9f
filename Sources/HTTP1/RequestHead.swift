/// A request's head as values: who is asked for what, how the content is framed, and what the connection does next.
///
/// A value is a scratch that is parsed into again and again. All ranges point into `fields.bytes`, which hold the whole
/// head from the request line on.
package import ByteText

package struct RequestHead: Sendable {
    package internal(set) var fields = FieldLines()
    private var line = RequestLine()
    /// The authority that the request is for: the target's in absolute form, else the Host field's (RFC 9112 §3.2.2).
    /// Empty only in an HTTP/1.0 request without either.
    package private(set) var hostRange = ByteRange.empty
    package private(set) var framing = BodyFraming.none
    package private(set) var options: ConnectionOptions = []
    /// The client waits for 100 before it sends its content. False without content and in HTTP/1.0.
    package private(set) var expectsContinue = false
    /// The one Upgrade field's value, if the connection options ask for it, the version is 1.1, the connection shall
    /// not close, and there is no content. It may be a list.
    package private(set) var upgradeRange: ByteRange?
    /// The trailer fields, once the reader has come to the end of chunked content that has any. They are never part of
    /// `fields`.
    package internal(set) var trailers = FieldLines()

    package init() {}

    package var method: Method { line.method }
    package var methodRange: ByteRange { line.methodRange }
    /// The target byte by byte as it was sent.
    package var targetRange: ByteRange { line.targetRange }
    package var targetForm: TargetForm { line.form }
    /// The path as it was sent, nothing decoded or normalised. Empty in absolute form without a path (then it stands
    /// for `/`) and in asterisk form.
    package var pathRange: ByteRange { line.pathRange }
    /// What follows the `?`; nil without one, empty with nothing behind it.
    package var queryRange: ByteRange? { line.queryRange }
    package var version: HTTPVersion { line.version }

    /// Whether another request may follow on the connection (RFC 9112 §9.3).
    package var keepsAlive: Bool {
        !options.contains(.close) && (version == .http11 || options.contains(.keepAlive))
    }

    /// The head's bytes at a range of it.
    package subscript(_ range: ByteRange) -> Span<UInt8> {
        @_lifetime(borrow self)
        get { fields[range] }
    }

    /// Takes over a head whose end is known.
    ///
    /// - Parameter bytes: the head from its request line to its empty line, as `HeadScanner` has found it.
    package mutating func parse(_ bytes: Span<UInt8>) throws(HTTPError) {
        line = try RequestLine(bytes)
        try fields.parse(bytes, from: line.end)
        if !trailers.isEmpty { trailers.removeAll() }
        hostRange = try readHost()
        options = try fields.readConnectionOptions()
        framing = try fields.readFraming(version) ?? BodyFraming.none
        expectsContinue = try readExpectation()
        upgradeRange = readUpgrade()
    }

    /// Exactly one valid Host in HTTP/1.1, at most one in HTTP/1.0; the target's authority wins (RFC 9112 §3.2).
    private func readHost() throws(HTTPError) -> ByteRange {
        guard let host = fields.first(of: .host) else {
            guard version == .http10 else { throw .missingHost }
            return line.authorityRange
        }
        guard fields.count(of: .host) == 1 else { throw .repeatedHost }
        guard AuthorityText(fields.value(of: host)) != nil else { throw .malformedHost }
        return line.form == .absolute ? line.authorityRange : host.valueRange
    }

    private var hasContent: Bool { framing != .none && framing != .length(0) }

    /// 100-continue once is the only expectation there is (RFC 9110 §10.1.1).
    private func readExpectation() throws(HTTPError) -> Bool {
        guard let expect = fields.first(of: .expect) else { return false }
        guard fields.count(of: .expect) == 1, fields.value(of: expect).equalsIgnoringCase("100-continue") else {
            throw .unknownExpectation
        }
        return version == .http11 && hasContent
    }

    private func readUpgrade() -> ByteRange? {
        guard options.contains(.upgrade), !options.contains(.close), version == .http11, !hasContent,
            fields.count(of: .upgrade) == 1
        else { return nil }
        return fields.first(of: .upgrade)?.valueRange
    }
}
