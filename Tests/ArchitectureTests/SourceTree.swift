import Foundation

/// The checkout's files as text, found from this file's own place.
struct SourceTree {
    struct File {
        /// From the package's root, e.g. `Sources/Reactor/EventLoop.swift`.
        let path: String
        let text: String

        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
        /// The folder below Sources or Tests.
        var room: String { String(path.split(separator: "/")[1]) }

        /// Modules named by `import` lines, whatever their access level.
        var imports: [String] {
            lines.compactMap { line in
                var words = line.split(separator: " ")
                while let first = words.first,
                    ["package", "public", "internal", "@testable", "@_exported"].contains(first)
                {
                    words.removeFirst()
                }
                guard words.first == "import", words.count > 1 else { return nil }
                return String(words[words.count - 1].split(separator: ".")[0])
            }
        }

        /// The text without comments and string literals, so that a rule on words looks at code and names alone.
        var code: String {
            lines.map { line in
                var kept = ""
                var inString = false
                var previous: Character = " "
                for character in line {
                    if character == "\"", previous != "\\" { inString.toggle() }
                    if !inString, previous == "/", character == "/" { return String(kept.dropLast()) }
                    if !inString { kept.append(character) }
                    previous = character
                }
                return kept
            }.joined(separator: "\n")
        }
    }

    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// All Swift files below a folder of the root.
    static func swiftFiles(below folder: String) -> [File] {
        let base = root.appending(path: folder)
        let paths = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return paths.filter { $0.hasSuffix(".swift") }.sorted().map { path in
            let text = (try? String(contentsOf: base.appending(path: path), encoding: .utf8)) ?? ""
            return File(path: folder + "/" + path, text: text)
        }
    }
}
