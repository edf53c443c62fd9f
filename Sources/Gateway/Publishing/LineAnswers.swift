/// The answers to some lines of the JSON-lines protocol, in their order: errors that are known at once, and places for
/// what comes of the others.
package import Polling

package struct LineAnswers {
    /// One a line: why it was refused; nil: it is a change whose outcome is to come.
    private var errors: [String?] = []
    /// The connection ends behind these.
    package var isLast = false

    package init() {}

    package var isEmpty: Bool { errors.isEmpty }

    package mutating func append(error: String?) { errors.append(error) }

    /// - Parameter outcomes: of the lines without an error, in their order.
    package func text(_ outcomes: [PoolOutcome]) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(errors.count * 32)
        var next = outcomes.startIndex
        for error in errors {
            if let error {
                ControlReply.appendError(error, to: &text)
            } else {
                precondition(next < outcomes.endIndex, "every change of these lines has come to something")
                append(outcomes[next], to: &text)
                next += 1
            }
        }
        return text
    }

    private func append(_ outcome: PoolOutcome, to text: inout [UInt8]) {
        switch outcome {
        case .published(let receipts):
            for receipt in receipts { ControlReply.append(receipt, to: &text) }
            text.append(0x0A)
        case .refused(let error): ControlReply.appendError(PublishError.pool(error).reason, to: &text)
        case .notStored(let reason): ControlReply.appendError(PublishError.notStored(reason).reason, to: &text)
        case .deleted, .unknownChannel: preconditionFailure("a line publishes")
        }
    }
}
