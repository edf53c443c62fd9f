/// Who may read answers from another origin: an exact list or everybody, never the request's origin unseen (Fetch
/// standard, CORS protocol; SECURITY M5).
import ByteText
package import HTTP1

package struct CrossOrigin: Sendable {
    /// Exact origins, e.g. `https://app.example.com`.
    private let origins: [[UInt8]]
    let allowsAny: Bool
    private let allowsCredentials: Bool
    /// How long a browser may keep a preflight's answer, in seconds.
    private let preflightSeconds: UInt64

    /// - Parameter origins: exact origins, or `*` alone.
    package init(origins: [String], credentials: Bool, preflight: Duration) {
        allowsAny = origins.contains("*")
        self.origins = origins.filter { $0 != "*" }.map { Array($0.utf8) }
        allowsCredentials = credentials
        preflightSeconds = UInt64(max(0, preflight.components.seconds))
    }

    /// Nobody.
    package static let none = CrossOrigin(origins: [], credentials: false, preflight: .zero)

    /// What a request of this origin is allowed.
    package func allowed(_ head: borrowing RequestHead) -> AllowedOrigin {
        guard let line = head.fields.first(of: .origin) else { return .none }
        if allowsAny { return .any }
        for (index, origin) in origins.enumerated() where head.fields.value(of: line).equals(origin.span) {
            return .listed(index)
        }
        return .none
    }

    func text(of index: Int) -> [UInt8] { origins[index] }
    func index(of origin: [UInt8]) -> Int? { origins.firstIndex(of: origin) }

    package func writeFields(for origin: AllowedOrigin, into writer: inout HTTPWriter) {
        // A cache must know that the answer depends on who asked, also when this one was refused.
        if !origins.isEmpty { writer.field("Vary", "Origin") }
        switch origin {
        case .none: return
        case .any: writer.field("Access-Control-Allow-Origin", "*")
        case .listed(let index):
            let listed = origins[index]
            writer.field("Access-Control-Allow-Origin", listed.span)
        }
        if allowsCredentials { writer.field("Access-Control-Allow-Credentials", "true") }
        writer.field("Access-Control-Expose-Headers", "Pollhold-Cursor, Pollhold-Gap")
    }

    /// What a preflight is told beyond that.
    package func writePreflightFields(for origin: AllowedOrigin, into writer: inout HTTPWriter) {
        guard origin != .none else { return }
        writer.field("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
        writer.field("Access-Control-Allow-Headers", "Accept, Cache-Control, Content-Type, Pragma, X-Requested-With")
        writer.field("Access-Control-Max-Age", decimal: UInt64(preflightSeconds))
    }
}
