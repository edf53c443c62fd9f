import Foundation
import JSONText
import Testing

/// The files of the public JSONTestSuite, where they stand beside the checkout: y_ must be accepted, n_ refused, i_ may go
/// either way but must end in an answer.
struct JSONTestSuiteTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../../shared/json-test-suite/test_parsing")

    @Test func `the public suite is answered as it asks`() throws {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: Self.folder.path) else {
            print("JSONTestSuite: the folder \(Self.folder.standardized.path) is not there; its files are passed over")
            return
        }
        var counts = ["y": 0, "n": 0, "i": 0]
        for name in names.sorted() where name.hasSuffix(".json") {
            let bytes = [UInt8](try Data(contentsOf: Self.folder.appending(path: name)))
            var error: JSONError?
            do { try JSONValidator.validate(bytes.span) } catch let found { error = found }
            let kind = String(name.prefix(1))
            counts[kind, default: 0] += 1
            if kind == "y" { #expect(error == nil, "\(name): \(error.map { "\($0)" } ?? "")") }
            if kind == "n" { #expect(error != nil, "\(name) was accepted") }
        }
        #expect(counts["y", default: 0] > 50 && counts["n", default: 0] > 100 && counts["i", default: 0] > 10)
        print("JSONTestSuite: \(counts["y"] ?? 0) accepted, \(counts["n"] ?? 0) refused, \(counts["i"] ?? 0) answered")
    }
}
