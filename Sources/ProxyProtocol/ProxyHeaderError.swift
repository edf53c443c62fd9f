/// Why a connection is refused whose listener expects a PROXY header: always the proxy's fault, or that of somebody who
/// is none. There is no answer to it; the connection is closed.
package enum ProxyHeaderError: Error, Hashable, Sendable {
    /// The connection begins with neither `PROXY ` nor the signature of version 2.
    case notProxyProtocol

    // Version 1
    case lineTooLong(limit: Int)
    case bareLineFeed
    case bareCarriageReturn
    /// Neither TCP4 nor TCP6 nor UNKNOWN.
    case unknownProtocol
    case wrongFieldCount
    case malformedAddress
    case malformedPort

    // Version 2
    case unsupportedVersion
    case unknownCommand
    case unknownFamily
    case unknownTransport
    case blockTooLong(limit: Int)
    /// The length leaves no room for the addresses of the family.
    case blockTooShort
    /// An extension goes past the end, or there is a second checksum, or one that is no 32-bit number.
    case malformedExtension
    case wrongChecksum

    /// A plain sentence for the log. It never holds bytes of the peer.
    package var reason: String {
        switch self {
        case .notProxyProtocol: "The connection does not begin with a PROXY header."
        case .lineTooLong(let limit): "The PROXY line has no CRLF within \(limit) bytes."
        case .bareLineFeed: "The PROXY line ends in LF without CR."
        case .bareCarriageReturn: "A CR in the PROXY line is not followed by LF."
        case .unknownProtocol: "The PROXY line names neither TCP4 nor TCP6 nor UNKNOWN."
        case .wrongFieldCount: "The PROXY line does not have two addresses and two ports."
        case .malformedAddress: "An address of the PROXY line is malformed or of the other family."
        case .malformedPort: "A port of the PROXY line is malformed."
        case .unsupportedVersion: "The PROXY header is neither of version 1 nor of version 2."
        case .unknownCommand: "The PROXY header's command is neither LOCAL nor PROXY."
        case .unknownFamily: "The PROXY header's address family is unknown."
        case .unknownTransport: "The PROXY header's transport protocol is unknown."
        case .blockTooLong(let limit): "The PROXY header is longer than \(limit) bytes."
        case .blockTooShort: "The PROXY header is too short for its addresses."
        case .malformedExtension: "An extension of the PROXY header is malformed."
        case .wrongChecksum: "The PROXY header's checksum is wrong."
        }
    }
}
