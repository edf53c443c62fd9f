/// How the end of a message's content is told (RFC 9112 §6). Each message has exactly one; ambiguity is an error.
import ByteText

package enum BodyFraming: Hashable, Sendable {
    /// There is no content.
    case none
    /// A Content-Length, which may be 0.
    case length(UInt64)
    case chunked
    /// The content goes on until the connection ends. Responses only.
    case untilClose
}

extension FieldLines {
    /// What Content-Length and Transfer-Encoding say, or nil if there is neither.
    ///
    /// One Content-Length of 1 to 18 digits, or one Transfer-Encoding that is exactly `chunked` (RFC 9112 §6.1, §6.3).
    func readFraming(_ version: HTTPVersion) throws(HTTPError) -> BodyFraming? {
        guard has(.transferEncoding) else {
            guard let line = first(of: .contentLength) else { return nil }
            guard count(of: .contentLength) == 1 else { throw .repeatedContentLength }
            return .length(try Self.contentLength(value(of: line)))
        }
        guard version == .http11 else { throw .transferEncodingInHTTP10 }
        guard !has(.contentLength) else { throw .lengthAndTransferEncoding }
        guard let line = first(of: .transferEncoding), count(of: .transferEncoding) == 1 else {
            throw .repeatedTransferEncoding
        }
        guard value(of: line).equalsIgnoringCase("chunked") else { throw Self.codingFault(value(of: line)) }
        return .chunked
    }

    private static func contentLength(_ text: Span<UInt8>) throws(HTTPError) -> UInt64 {
        guard text.count <= 18, let value = text.decimalValue else { throw .malformedContentLength }
        return value
    }

    /// A list of codings that ends in `chunked` is well-formed and unknown here; anything else leaves the end of the
    /// content unknown.
    private static func codingFault(_ text: Span<UInt8>) -> HTTPError {
        var list = ListField(text)
        var count = 0
        var last = 0..<0
        while let element = list.next() {
            let isBehindChunked = text.extracting(last).equalsIgnoringCase("chunked")
            guard !isBehindChunked, text.extracting(element).isToken else { return .malformedTransferEncoding }
            last = element
            count += 1
        }
        let endsInChunked = last.upperBound == text.count && text.extracting(last).equalsIgnoringCase("chunked")
        return endsInChunked && count > 1 ? .unsupportedTransferCoding : .malformedTransferEncoding
    }
}
