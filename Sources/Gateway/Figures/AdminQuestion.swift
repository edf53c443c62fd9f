/// What may be asked on the admin listener: nothing that changes anything.
import ByteText
package import HTTP1

package enum AdminQuestion: Equatable, Sendable {
    case health(HealthQuestion)
    case metrics

    /// - Throws: `ControlError` with the status that fits.
    package init(_ head: borrowing RequestHead) throws(ControlError) {
        let path = head[head.pathRange]
        if path.equals("/metrics") {
            self = .metrics
        } else if let question = HealthQuestion(path) {
            self = .health(question)
        } else {
            throw .unknownAdminPath
        }
        guard head.method == .get || head.method == .head else { throw .methodNotAllowed(allowed: "GET, HEAD") }
    }
}
