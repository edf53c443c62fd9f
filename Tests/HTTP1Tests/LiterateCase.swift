/// One case of `Cases/*.md`: bytes in, what a reader says of them out. `CaseText` says how a case is written.
///
/// The kind is `request`, or `response METHOD …`; numbers are limits. In the outcome each line must come as it stands.
/// Indented lines are details of the head above them: those that stand there must be true, others are not looked at.
import Foundation
import HTTP1
import SharedByTests
import Testing

struct LiterateCase: Sendable, CustomTestStringConvertible {
    enum Side: Sendable {
        case request
        /// What is answered, one word a request; `UPGRADE` is a GET that asks for another protocol.
        case response([String])
    }

    let title: String
    let file: String
    let side: Side
    let limits: HeadLimits
    let input: [UInt8]
    let outcome: [String]

    var testDescription: String { "\(file): \(title)" }

    static let all = CaseText.all(in: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases"))
        .map(LiterateCase.init)

    private init(_ text: CaseText) {
        title = text.title
        file = text.file
        outcome = text.outcome
        input = text.input
        let isResponse = text.words.first == "response"
        side = isResponse ? .response(Array(text.words.dropFirst())) : .request
        let numbers = text.numbers
        let defaults = isResponse ? HeadLimits.responses : .requests
        limits = HeadLimits(
            lineBytesLimit: numbers["line"] ?? defaults.lineBytesLimit,
            fieldBytesLimit: numbers["field"] ?? defaults.fieldBytesLimit,
            headBytesLimit: numbers["head"] ?? defaults.headBytesLimit,
            fieldCountLimit: numbers["fields"] ?? defaults.fieldCountLimit,
            leadingEmptyLinesLimit: numbers["empty"] ?? defaults.leadingEmptyLinesLimit,
            chunkLineBytesLimit: numbers["chunkline"] ?? defaults.chunkLineBytesLimit,
            trailerBytesLimit: numbers["trailers"] ?? defaults.trailerBytesLimit,
            interimCountLimit: numbers["interim"] ?? defaults.interimCountLimit)
    }
}
