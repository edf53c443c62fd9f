/// Why a request is refused: the peer's fault, each with the status that the refusal is answered with.
///
/// The same faults in a response stand inside `ResponseError.malformed`, where the status does not apply.
package enum HTTPError: Error, Hashable, Sendable {
    // Before and in the request line
    case tooManyEmptyLines(limit: Int)
    /// The first byte cannot begin a method: a TLS hello, a NUL, a space.
    case notHTTP
    case malformedMethod
    case malformedTarget
    /// The line ends behind the target, as in HTTP/0.9.
    case missingVersion
    case malformedVersion
    case unsupportedVersion
    case connectRefused

    // Lines
    case bareLineFeed
    case bareCarriageReturn
    case lineTooLong(limit: Int)
    case fieldTooLong(limit: Int)
    case headTooLong(limit: Int)
    case tooManyFields(limit: Int)

    // Fields
    case leadingWhitespace
    case emptyFieldName
    case malformedFieldName
    case missingColon
    case controlInField
    case missingHost
    case repeatedHost
    case malformedHost
    case malformedConnection
    case tooManyConnectionOptions(limit: Int)
    case unknownExpectation

    // Framing
    case malformedContentLength
    case repeatedContentLength
    case malformedTransferEncoding
    case repeatedTransferEncoding
    case unsupportedTransferCoding
    case transferEncodingInHTTP10
    case lengthAndTransferEncoding

    // Chunked content
    case malformedChunkSize
    case chunkTooLong
    case malformedChunkExtension
    case chunkLineTooLong(limit: Int)
    case malformedChunkEnd
    case trailersTooLong(limit: Int)
    case tooManyTrailers(limit: Int)
    case forbiddenTrailer

    // What whoever drives a reader finds out
    /// The peer ended its side inside a request.
    case endedEarly
    case contentTooLong(limit: UInt64)
    case headTooSlow
    case contentTooSlow
}

extension HTTPError {
    /// The status code of the answer to a request that is refused for this reason.
    package var status: Int {
        switch self {
        case .headTooSlow, .contentTooSlow: 408
        case .contentTooLong: 413
        case .lineTooLong: 414
        case .unknownExpectation: 417
        case .fieldTooLong, .headTooLong, .tooManyFields: 431
        case .connectRefused, .unsupportedTransferCoding: 501
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// A plain sentence for the answer and the log. It never holds bytes of the peer.
    package var reason: String {
        switch self {
        case .tooManyEmptyLines(let limit): "More than \(limit) empty lines precede the request."
        case .notHTTP: "The first byte cannot begin an HTTP request."
        case .malformedMethod: "The method is not a token followed by one space."
        case .malformedTarget: "The request target is malformed."
        case .missingVersion: "The request line has no HTTP version."
        case .malformedVersion: "The HTTP version is malformed."
        case .unsupportedVersion: "Only HTTP/1.1 and HTTP/1.0 are spoken here."
        case .connectRefused: "CONNECT is not supported."
        case .bareLineFeed: "A line ends in LF without CR."
        case .bareCarriageReturn: "A CR is not followed by LF."
        case .lineTooLong(let limit): "The request line is longer than \(limit) bytes."
        case .fieldTooLong(let limit): "A header field is longer than \(limit) bytes."
        case .headTooLong(let limit): "The header section is longer than \(limit) bytes."
        case .tooManyFields(let limit): "There are more than \(limit) header fields."
        case .leadingWhitespace: "A header line begins with white space."
        case .emptyFieldName: "A header field has no name."
        case .malformedFieldName: "A header field's name is not a token."
        case .missingColon: "A header line has no colon."
        case .controlInField: "A header field holds a control character."
        case .missingHost: "The Host field is missing."
        case .repeatedHost: "There is more than one Host field."
        case .malformedHost: "The host is malformed."
        case .malformedConnection: "The Connection field is not a list of tokens."
        case .tooManyConnectionOptions(let limit): "There are more than \(limit) connection options."
        case .unknownExpectation: "The expectation cannot be met."
        default: framingReason
        }
    }

    private var framingReason: String {
        switch self {
        case .malformedContentLength: "Content-Length is not a decimal number of at most 18 digits."
        case .repeatedContentLength: "There is more than one Content-Length."
        case .malformedTransferEncoding: "Transfer-Encoding does not end in chunked."
        case .repeatedTransferEncoding: "There is more than one Transfer-Encoding."
        case .unsupportedTransferCoding: "The only transfer coding supported is chunked."
        case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding."
        case .lengthAndTransferEncoding: "Content-Length and Transfer-Encoding exclude each other."
        case .malformedChunkSize: "A chunk size is not a hexadecimal number."
        case .chunkTooLong: "A chunk size is out of range."
        case .malformedChunkExtension: "A chunk extension is malformed."
        case .chunkLineTooLong(let limit): "A chunk's size line is longer than \(limit) bytes."
        case .malformedChunkEnd: "A chunk does not end in CRLF."
        case .trailersTooLong(let limit): "The trailer section is longer than \(limit) bytes."
        case .tooManyTrailers(let limit): "There are more than \(limit) trailer fields."
        case .forbiddenTrailer: "A trailer field may not stand in a trailer section."
        case .endedEarly: "The request ended early."
        case .contentTooLong(let limit): "The content is longer than \(limit) bytes."
        case .headTooSlow: "The request did not arrive in time."
        case .contentTooSlow: "The content did not arrive in time."
        default: "The request is malformed."
        }
    }
}
