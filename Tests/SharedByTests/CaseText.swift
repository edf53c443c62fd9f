/// One case of a `Cases/*.md`, for parsers: bytes in, what is said of them out.
///
/// A case is a heading, prose, a block whose first word is its kind with the bytes, and a block ```` ```outcome ````. In
/// the bytes the line breaks of the file do not count; `\r \n \t \0 \xHH \\` stand for bytes and `\{300*ab}` for a
/// repetition. Words of the form `name=5` behind the kind set a number.
import Foundation

package struct CaseText: Sendable {
    package let title: String
    /// The file's name without its suffix.
    package let file: String
    /// Behind the opening of the block, those with `=` left out; the first is the kind.
    package let words: [String]
    package let numbers: [String: Int]
    package let input: [UInt8]
    package let outcome: [String]

    /// - Parameter folder: holds the `.md` files; anything else in it is passed over.
    package static func all(in folder: URL) -> [CaseText] {
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "md" }.sorted { $0.path < $1.path }.flatMap(read)
    }

    private static func read(_ file: URL) -> [CaseText] {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        var cases: [CaseText] = []
        var title = ""
        var block: (words: [String], lines: [String])?
        var input: (words: [String], lines: [String])?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if let open = block {
                guard line == "```" else {
                    block = (open.words, open.lines + [line])
                    continue
                }
                block = nil
                if open.words.first == "outcome", let given = input {
                    let name = file.deletingPathExtension().lastPathComponent
                    cases.append(CaseText(title, name, given.words, given.lines, open.lines))
                    input = nil
                } else {
                    input = open
                }
            } else if line.hasPrefix("```") {
                block = (line.dropFirst(3).split(separator: " ").map(String.init), [])
            } else if line.hasPrefix("## ") {
                title = String(line.dropFirst(3))
            }
        }
        return cases
    }

    private init(_ title: String, _ file: String, _ words: [String], _ lines: [String], _ outcome: [String]) {
        self.title = title
        self.file = file
        self.outcome = outcome.filter { !$0.isEmpty }
        input = Self.bytes(lines.joined())
        self.words = words.filter { !$0.contains("=") }
        var numbers: [String: Int] = [:]
        for word in words where word.contains("=") {
            let parts = word.split(separator: "=")
            numbers[String(parts[0])] = Int(parts[1])
        }
        self.numbers = numbers
    }

    /// What such a text stands for.
    package static func bytes(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Substring(text)
        while let character = rest.popFirst() {
            guard character == "\\", let escape = rest.popFirst() else {
                bytes += Array(String(character).utf8)
                continue
            }
            switch escape {
            case "r": bytes.append(13)
            case "n": bytes.append(10)
            case "t": bytes.append(9)
            case "0": bytes.append(0)
            case "x":
                bytes.append(UInt8(rest.prefix(2), radix: 16) ?? 0)
                rest = rest.dropFirst(2)
            case "{":
                let inner = rest.prefix { $0 != "}" }
                rest = rest.dropFirst(inner.count + 1)
                let star = inner.firstIndex(of: "*") ?? inner.startIndex
                let piece = Self.bytes(String(inner[inner.index(after: star)...]))
                for _ in 0..<(Int(inner[..<star]) ?? 0) { bytes += piece }
            default: bytes += Array(String(escape).utf8)
            }
        }
        return bytes
    }
}
