/// The request methods that anything is decided on (RFC 9110 §9, RFC 5789, and two that caches know).
import ByteText

package enum Method: UInt8, Hashable, Sendable {
    case get, head, post, put, delete, options, patch, trace, connect, purge, ban
    /// Any other token. The head has its bytes.
    case other

    /// Looks a method up; case matters (RFC 9110 §9.1).
    init(_ bytes: Span<UInt8>) {
        self =
            switch bytes.count {
            case 3: bytes.equals("GET") ? .get : bytes.equals("PUT") ? .put : bytes.equals("BAN") ? .ban : .other
            case 4: bytes.equals("POST") ? .post : bytes.equals("HEAD") ? .head : .other
            case 5:
                bytes.equals("PATCH") ? .patch : bytes.equals("PURGE") ? .purge : bytes.equals("TRACE") ? .trace : .other
            case 6: bytes.equals("DELETE") ? .delete : .other
            case 7: bytes.equals("OPTIONS") ? .options : bytes.equals("CONNECT") ? .connect : .other
            default: .other
            }
    }

    /// Whether the request asks for no change (RFC 9110 §9.2.1). An unknown method is not safe.
    package var isSafe: Bool {
        switch self {
        case .get, .head, .options, .trace: true
        default: false
        }
    }

    /// Whether sending the request twice means the same as once (RFC 9110 §9.2.2).
    package var isIdempotent: Bool { isSafe || self == .put || self == .delete }
}
