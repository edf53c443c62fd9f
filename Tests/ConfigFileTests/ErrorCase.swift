/// One case of `Cases/*.md`: a configuration, and everything that is said against it.
///
/// A case is a heading, a block ```` ```yaml ```` and a block with the errors as `pollhold check` prints them; `ok` for
/// none. With POLLHOLD_WRITE_CASES set the blocks are written anew from what is said now, to be read in the diff.
import ConfigFile
import Foundation
import Testing

struct ErrorCase: Sendable, CustomTestStringConvertible {
    let file: URL
    let title: String
    let yaml: String
    let expected: String

    var testDescription: String { "\(file.lastPathComponent): \(title)" }

    var told: String {
        do throws(ConfigurationErrors) {
            _ = try Configuration.load(text: yaml, file: "pollhold.yaml", environment: Self.environment)
            return "ok"
        } catch {
            return error.description
        }
    }

    static let environment = ["HOST": "127.0.0.1", "TRICK": "root, workers: 3"]

    static let all: [ErrorCase] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "md" }.sorted { $0.path < $1.path }.flatMap(read)
    }()

    private static func read(_ file: URL) -> [ErrorCase] {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        return text.components(separatedBy: "\n## ").dropFirst().compactMap { section in
            let parts = section.components(separatedBy: "\n```")
            guard parts.count == 5, parts[1].hasPrefix("yaml") else {
                Issue.record("\(file.lastPathComponent) has a case that is none: \(parts[0])")
                return nil
            }
            let title = parts[0].trimmingCharacters(in: .whitespacesAndNewlines)
            return ErrorCase(
                file: file, title: title, yaml: parts[1].dropFirst("yaml\n".count) + "\n",
                expected: String(parts[3].dropFirst()))
        }
    }
}

struct ErrorCaseTests {
    @Test(.serialized, arguments: ErrorCase.all) func `what is said of a configuration`(_ given: ErrorCase) throws {
        if ProcessInfo.processInfo.environment["POLLHOLD_WRITE_CASES"] != nil {
            let text = try String(contentsOf: given.file, encoding: .utf8)
            let head = "## \(given.title)\n\n```yaml\n\(given.yaml)```\n\n```\n"
            try text.replacingOccurrences(of: head + given.expected + "\n```", with: head + given.told + "\n```")
                .write(to: given.file, atomically: true, encoding: .utf8)
        } else {
            #expect(given.told == given.expected)
        }
    }

    @Test func `there are cases`() { #expect(ErrorCase.all.count > 40) }
}
