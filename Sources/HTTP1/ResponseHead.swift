/// A response's head as values. A value is a scratch that is parsed into again and again; all ranges point into
/// `fields.bytes`.
package import ByteText

package struct ResponseHead: Sendable {
    package internal(set) var fields = FieldLines()
    package private(set) var version = HTTPVersion.http11
    /// 100 to 999.
    package private(set) var status = 0
    /// May be empty.
    package private(set) var reasonRange = ByteRange.empty
    package private(set) var framing = BodyFraming.none
    package private(set) var options: ConnectionOptions = []
    /// The trailer fields, once the reader has come to the end of chunked content that has any.
    package internal(set) var trailers = FieldLines()

    package init() {}

    /// Whether another response for the same request follows.
    package var isInterim: Bool { status < 200 && status != 101 }

    /// Whether another request may be sent on the connection.
    package var keepsAlive: Bool {
        !options.contains(.close) && framing != .untilClose && status != 101
            && (version == .http11 || options.contains(.keepAlive))
    }

    /// The head's bytes at a range of it.
    package subscript(_ range: ByteRange) -> Span<UInt8> {
        @_lifetime(borrow self)
        get { fields[range] }
    }

    /// Takes over a head whose end is known.
    ///
    /// - Parameters:
    ///   - bytes: the head from its status line to its empty line.
    ///   - method: of the request that is answered; a response to HEAD has no content.
    package mutating func parse(_ bytes: Span<UInt8>, answering method: Method) throws(ResponseError) {
        let start = try readStatusLine(bytes)
        do throws(HTTPError) {
            try fields.parse(bytes, from: start)
            if !trailers.isEmpty { trailers.removeAll() }
            options = try fields.readConnectionOptions()
            // Ambiguous fields are an error even where there is no content: whoever reads behind us may differ.
            let said = try fields.readFraming(version) ?? BodyFraming.untilClose
            framing = method == .head || status < 200 || status == 204 || status == 304 ? .none : said
        } catch {
            throw .malformed(error)
        }
    }

    /// `HTTP/1.x SP 3DIGIT [ SP reason ]`. The second space may be missing with the reason, as many servers leave it
    /// out.
    ///
    /// - Returns: offset of the first field line.
    private mutating func readStatusLine(_ bytes: Span<UInt8>) throws(ResponseError) -> Int {
        guard bytes.count >= 14, bytes[8] == .space else { throw .malformedStatusLine }
        switch bytes.word(at: 0) {
        case 0x312E_312F_5054_5448: version = .http11
        case 0x302E_312F_5054_5448: version = .http10
        default: throw .malformedStatusLine
        }
        guard let code = bytes.extracting(9..<12).decimalValue, code >= 100 else { throw .malformedStatusLine }
        status = Int(code)
        let end = bytes.firstControl(from: 12)
        guard end + 1 < bytes.count, bytes[end] == .carriageReturn, bytes[end + 1] == .lineFeed,
            end == 12 || bytes[12] == .space
        else { throw .malformedStatusLine }
        reasonRange = ByteRange(Swift.min(13, end)..<end)
        return end + 2
    }
}
