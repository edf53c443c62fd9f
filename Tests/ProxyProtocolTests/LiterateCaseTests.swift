import Foundation
import ProxyProtocol
import SharedByTests
import Testing

/// Every case of `Cases/*.md`, whole and as it comes in pieces: each beginning of the bytes must want more until there
/// is an outcome, and from then on have that one.
struct LiterateCaseTests {
    struct Given: Sendable, CustomTestStringConvertible {
        let text: CaseText
        var testDescription: String { "\(text.file): \(text.title)" }
    }

    static let all = CaseText.all(in: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases"))
        .map(Given.init)

    @Test(arguments: all) func `bytes have the outcome that the case says`(given: Given) {
        #expect(told(given.text, given.text.input.count) == given.text.outcome.joined(separator: "\n"))
    }

    @Test(arguments: all) func `the outcome is the same however the bytes are cut`(given: Given) {
        let whole = told(given.text, given.text.input.count)
        var settled: Int?
        for count in 0..<given.text.input.count {
            let found = told(given.text, count)
            if found != "needs more", settled == nil { settled = count }
            #expect(settled == nil ? found == "needs more" : found == whole, "the first \(count) bytes")
        }
    }

    @Test func `there are cases`() { #expect(Self.all.count > 60) }

    private func told(_ given: CaseText, _ count: Int) -> String {
        let bytes = given.input.span.extracting(0..<count)
        let limit = given.numbers["limit"] ?? ProxyHeader.defaultBytesLimit
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.read(bytes, bytesLimit: limit) {
            case .needsMore: return "needs more"
            case .whole(.keepsPeer, let byteCount): return "keeps the peer, \(byteCount) bytes"
            case .whole(.relayed(let source, let destination), let byteCount):
                return "\(text(source)) to \(text(destination)), \(byteCount) bytes"
            }
        } catch {
            return "error \(error)"
        }
    }

    private func text(_ endpoint: ProxyHeader.Endpoint) -> String {
        switch endpoint.address {
        case .ipv4(let address): "\(String(address, radix: 16)):\(endpoint.port)"
        case .ipv6(let high, let low): "\(String(high, radix: 16)).\(String(low, radix: 16)):\(endpoint.port)"
        }
    }
}
