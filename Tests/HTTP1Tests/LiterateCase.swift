/// One case of `Cases/*.md`: bytes in, what a reader says of them out.
///
/// A case is a heading, prose, a block ```` ```request ```` or ```` ```response METHOD ```` with the bytes, and a
/// block ```` ```outcome ````. In the bytes the line breaks of the file do not count; `\r \n \t \0 \xHH \\` stand for
/// bytes and `\{300*ab}` for a repetition. Words of the form `name=5` behind the block's kind set a limit.
///
/// In the outcome each line must come as it stands. Indented lines are details of the head above them: those that stand
/// there must be true, others are not looked at.
import Foundation
import HTTP1
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

    static let all: [LiterateCase] = {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "md" }.sorted { $0.path < $1.path }.flatMap(read)
    }()

    private static func read(_ file: URL) -> [LiterateCase] {
        let text = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        var cases: [LiterateCase] = []
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
                    cases.append(LiterateCase(title, name, given.words, given.lines, open.lines))
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
        let plain = words.dropFirst().filter { !$0.contains("=") }
        side = words.first == "response" ? .response(Array(plain)) : .request
        var values: [String: Int] = [:]
        for word in words where word.contains("=") {
            let parts = word.split(separator: "=")
            values[String(parts[0])] = Int(parts[1])
        }
        let defaults = words.first == "response" ? HeadLimits.responses : .requests
        limits = HeadLimits(
            lineBytesLimit: values["line"] ?? defaults.lineBytesLimit,
            fieldBytesLimit: values["field"] ?? defaults.fieldBytesLimit,
            headBytesLimit: values["head"] ?? defaults.headBytesLimit,
            fieldCountLimit: values["fields"] ?? defaults.fieldCountLimit,
            leadingEmptyLinesLimit: values["empty"] ?? defaults.leadingEmptyLinesLimit,
            chunkLineBytesLimit: values["chunkline"] ?? defaults.chunkLineBytesLimit,
            trailerBytesLimit: values["trailers"] ?? defaults.trailerBytesLimit,
            interimCountLimit: values["interim"] ?? defaults.interimCountLimit)
    }

    private static func bytes(_ text: String) -> [UInt8] {
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
