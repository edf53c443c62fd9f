/// What is fuzzed: for each reader of foreign bytes what must be true of it on any bytes whatever.
///
/// The laws are functions of the bytes alone, so that a file that broke one breaks it again. They are run by libFuzzer
/// (`make fuzz`), and by the tests on the corpus and on every literate case.
import Foundation

package enum FuzzTarget: String, CaseIterable, Sendable {
    /// Requests on one connection, and what goes on to the app.
    case request
    /// Responses, and what goes on to the client.
    case response
    /// Chunked content.
    case chunked
    /// The PROXY header.
    case proxy
    case json
    case configuration
    /// What publishers send.
    case publish

    /// - Throws: `BrokenLaw`.
    package func check(_ bytes: [UInt8]) throws {
        switch self {
        case .request: try RequestLaws.check(bytes)
        case .response: try ResponseLaws.check(bytes)
        case .chunked: try ChunkedLaws.check(bytes)
        case .proxy: try ProxyHeaderLaws.check(bytes)
        case .json: try JSONLaws.check(bytes)
        case .configuration: try ConfigurationLaws.check(bytes)
        case .publish: try PublishLaws.check(bytes)
        }
    }
}

/// Something that must be true of any bytes was not true of these.
package struct BrokenLaw: Error, CustomStringConvertible {
    package let description: String
}

/// - Throws: `BrokenLaw` with that sentence if `law` is false.
func require(_ law: Bool, _ sentence: @autoclosure () -> String) throws {
    guard law else { throw BrokenLaw(description: sentence()) }
}

/// Where bytes are cut for a reader that takes them in pieces: not at all, at every byte, and at two places that the
/// bytes themselves decide.
struct Cuts {
    /// Where each piece ends; the last is the input's end.
    let all: [[Int]]

    init(_ bytes: [UInt8]) {
        let count = bytes.count
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        let first = Int(hash >> 33) % (count + 1)
        let second = Int(hash & 0xFFFF) % (count + 1)
        all = [[count], Array(0...count), [min(first, second), max(first, second), count]]
    }
}
