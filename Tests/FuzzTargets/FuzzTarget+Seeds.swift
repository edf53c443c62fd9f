/// Inputs to begin with: what the literate cases and the examples have for each target.
import Foundation
import SharedByTests

extension FuzzTarget {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Inputs that broke a law once, or that found a way of their own.
    package var corpus: [(name: String, bytes: [UInt8])] {
        let folder = Self.root.appending(path: "Tests/Fuzzing/Corpus/\(rawValue)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.sorted().compactMap { name in
            guard let data = try? Data(contentsOf: folder.appending(path: name)) else { return nil }
            return (name, Array(data))
        }
    }

    /// What the cases of the tests, and the examples, have for this target; none longer than what is worth fuzzing.
    package var seeds: [[UInt8]] { found.filter { $0.count <= 4096 } }

    private var found: [[UInt8]] {
        switch self {
        case .request: httpCases.filter { $0.words.first == "request" }.map(\.input)
        case .response: httpCases.filter { $0.words.first == "response" }.map(\.input)
        case .chunked: httpCases.compactMap(Self.content)
        case .proxy: Self.cases("ProxyProtocolTests").map(\.input)
        case .json: Self.values.map { Array($0.utf8) } + httpCases.prefix(20).map(\.input)
        case .configuration: Self.configurations
        case .publish: Self.publications.map { Array($0.utf8) }
        }
    }

    private var httpCases: [CaseText] { Self.cases("HTTP1Tests") }

    private static func cases(_ room: String) -> [CaseText] {
        CaseText.all(in: root.appending(path: "Tests/\(room)/Cases"))
    }

    /// What stands behind the head of a message that has chunks.
    private static func content(_ text: CaseText) -> [UInt8]? {
        let input = String(decoding: text.input, as: UTF8.self)
        guard input.contains("chunked"), let end = text.input.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        return Array(text.input[end.upperBound...])
    }

    /// The YAML of the cases, and the examples.
    private static var configurations: [[UInt8]] {
        let cases = root.appending(path: "Tests/ConfigFileTests/Cases")
        let examples = root.appending(path: "examples")
        var texts: [String] = []
        for folder in [cases, examples] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
            for name in names.sorted() {
                guard let text = try? String(contentsOf: folder.appending(path: name), encoding: .utf8) else {
                    continue
                }
                if name.hasSuffix(".yaml") { texts.append(text) }
                if name.hasSuffix(".md") {
                    texts += text.components(separatedBy: "```yaml\n").dropFirst().compactMap {
                        $0.components(separatedBy: "```").first
                    }
                }
            }
        }
        return texts.map { Array($0.utf8) }
    }

    private static let values = [
        "0", "-0.5e+10", "\"\\u00e9\\n\\ud83d\\ude00\\ud800\"", "true", "null", "[]", "{}", " [1 , 2, \"a\"]\n",
        "{\"a\":{\"b\":[{\"c\":null}]},\"a\":\"]}\",\"~/\":[false]}", "[[[[[[1]]]]]]", "\"é😀\"", "01", "[1,]",
        "\"\\x\"",
    ]

    private static let publications = [
        "{\"channel\":\"room.1\",\"data\":{\"text\":\"hi\"}}", "{\"channel\":\"a\",\"data\":null,\"key\":\"k\"}",
        "{\"items\":[{\"channel\":\"a\",\"data\":1},{\"data\":\"x\",\"channel\":\"b\",\"content_type\":\"a/b\"}]}",
        "{\"channel\":\"a\",\"data\":\"aGk=\",\"encoding\":\"base64\"}",
        "{\"channel\":\"a\",\"data\":1}\n\n{\"channel\":\"\\u0062\",\"data\":[1, 2]}\r\n", "{\"items\":[]}",
        "{\"items\":[],\"channel\":\"a\"}", "room.1:@/-_\nbody", "text/html; charset=utf-8\n<p>",
        "application/vnd.x+json\n{}",
    ]
}
