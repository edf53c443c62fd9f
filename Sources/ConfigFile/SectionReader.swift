/// Reads one mapping of the file by the rows of the table: takes values, fills defaults in, and notes every error
/// with its place instead of stopping at the first.
import Yams

/// Where errors go, and what a value may refer to.
final class ErrorCollector {
    let file: String
    let environment: [String: String]
    private let lines: [Substring]
    private(set) var errors: [ConfigurationError] = []
    /// Paths of rows that were read, for the test that the table has no dead ones.
    private(set) var readPaths: Set<String> = []

    init(file: String, text: String, environment: [String: String]) {
        self.file = file
        self.environment = environment
        lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    }

    func note(_ mark: Mark?, found: String, expected: String, columnOffset: Int = 0) {
        note(line: mark?.line ?? 0, column: (mark?.column ?? 0) + columnOffset, found: found, expected: expected)
    }

    /// - Parameter line: from 1; 0 for the file as a whole.
    func note(line: Int, column: Int, found: String, expected: String) {
        errors.append(
            ConfigurationError(
                file: file, line: line, column: column, found: found, expected: expected,
                lineText: line > 0 && line <= lines.count ? String(lines[line - 1]) : nil))
    }

    func noteRead(_ path: String) { readPaths.insert(path) }

    var sorted: [ConfigurationError] {
        errors.sorted { ($0.line, $0.column, $0.found) < ($1.line, $1.column, $1.found) }
    }
}

struct SectionReader {
    let collector: ErrorCollector
    /// The mapping's path in the table, empty for the root.
    let path: String
    /// Where the mapping stands, for what is missing in it.
    let mark: Mark?
    private var values: [String: Node] = [:]

    /// - Parameter node: nil: the section is absent, and everything in it takes its default.
    init(_ collector: ErrorCollector, path: String, node: Node?, mark: Mark?) {
        self.collector = collector
        self.path = path
        self.mark = node?.mark ?? mark
        guard let node else { return }
        guard let mapping = node.mapping else {
            // `proxy:` with nothing behind it is an empty mapping.
            if node.scalar?.string == "" { return }
            collector.note(node.mark, found: node.kindText, expected: "expected a mapping")
            return
        }
        let known = Directive.keys(inside: path)
        for (key, value) in mapping {
            guard let name = key.scalar?.string else {
                collector.note(
                    key.mark, found: "a key that is no word",
                    expected: "expected one of \(known.joined(separator: ", "))")
                continue
            }
            if known.contains(name) {
                values[name] = value
            } else {
                let near = NearestWord.to(name, among: known).map { "did you mean \($0)?" }
                collector.note(
                    key.mark, found: "unknown key \(name)",
                    expected: near ?? "expected one of \(known.joined(separator: ", "))")
            }
        }
    }

    func has(_ key: String) -> Bool { values[key] != nil }

    func node(_ key: String) -> Node? { values[key] }

    func row(_ key: String) -> Directive {
        let row = Directive.row(path.isEmpty ? key : "\(path).\(key)")
        collector.noteRead(row.path)
        return row
    }

    func section(_ key: String) -> SectionReader {
        SectionReader(collector, path: row(key).path, node: values[key], mark: mark)
    }

    // MARK: Values

    func duration(_ key: String) -> Duration { optionalDuration(key) ?? .zero }

    func optionalDuration(_ key: String) -> Duration? {
        read(key) { row, text in
            guard case .duration(let range) = row.kind, let value = DurationText(text)?.duration, range.contains(value)
            else {
                return nil
            }
            return value
        }
    }

    func size(_ key: String) -> Int { optionalSize(key) ?? 0 }

    func optionalSize(_ key: String) -> Int? {
        read(key) { row, text in
            guard case .size(let range) = row.kind, let value = ByteSize(text)?.bytes, range.contains(value) else {
                return nil
            }
            return value
        }
    }

    func integer(_ key: String) -> Int { optionalInteger(key) ?? 0 }

    func optionalInteger(_ key: String) -> Int? {
        read(key) { row, text in
            guard case .integer(let range) = row.kind, let value = Int(text), range.contains(value) else { return nil }
            return value
        }
    }

    func boolean(_ key: String) -> Bool {
        read(key) { _, text in ["true": true, "false": false][text] } ?? false
    }

    func text(_ key: String) -> String? { read(key) { _, text in text.isEmpty ? nil : text } }

    /// A body may well be empty.
    func anyText(_ key: String) -> String? { read(key) { _, text in text } }

    func mode(_ key: String) -> UInt32 {
        read(key) { _, text in
            guard (3...4).contains(text.count), let value = UInt32(text, radix: 8), value <= 0o777 else { return nil }
            return value
        } ?? 0
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ key: String, as type: Choice.Type) -> Choice?
    where Choice.RawValue == String {
        read(key) { _, text in Choice(rawValue: text) }
    }

    func filePath(_ key: String) -> String? {
        read(key) { _, text in text.hasPrefix("/") && text.utf8.count <= 4096 ? text : nil }
    }

    /// One value of the row's kind, or its default. An error is noted and gives nil.
    func read<Value>(_ key: String, _ parse: (Directive, String) -> Value?) -> Value? {
        let row = row(key)
        guard let node = values[key] else {
            guard let text = row.defaultText, text != row.word else { return nil }
            return parse(row, text)
        }
        guard let text = scalar(node, expected: row.expectation) else { return nil }
        if text == row.word { return nil }
        if let value = parse(row, text) { return value }
        collector.note(node.mark, found: "\(key): \(quoted(text))", expected: expectation(row, text))
        return nil
    }

    /// A scalar's text with the environment put in; anything else is an error.
    func scalar(_ node: Node, expected: String) -> String? {
        guard let scalar = node.scalar else {
            collector.note(node.mark, found: node.kindText, expected: "expected \(expected)")
            return nil
        }
        do throws(EnvironmentText.Flaw) {
            return try EnvironmentText.substitute(scalar.string, from: collector.environment)
        } catch {
            collector.note(node.mark, found: error.found, expected: "expected \(error.expected)")
            return nil
        }
    }

    /// One scalar or a list of scalars, each with its place.
    func scalars(_ key: String) -> [(text: String, mark: Mark?)] {
        let row = row(key)
        guard let node = values[key] else { return row.defaultText.map { [($0, mark)] } ?? [] }
        let nodes = node.sequence.map { Array($0) } ?? [node]
        return nodes.compactMap { node in scalar(node, expected: row.expectation).map { ($0, node.mark) } }
    }

    /// Notes that a key which has no default is absent.
    func require(_ key: String) {
        guard !has(key) else { return }
        collector.note(mark, found: "no \(key)", expected: "expected \(key): \(row(key).expectation)")
    }

    private func expectation(_ row: Directive, _ text: String) -> String {
        if case .choice(let words) = row.kind, let near = NearestWord.to(text, among: words) {
            return "did you mean \(near)?"
        }
        if case .duration = row.kind, Int(text) != nil {
            return "expected \(row.expectation); write \(text)s for seconds"
        }
        return "expected \(row.expectation)"
    }

    func quoted(_ text: String) -> String { text.count <= 60 ? "\"\(text)\"" : "\"\(text.prefix(60))…\"" }
}

extension Node {
    /// What it is, for errors.
    var kindText: String {
        switch self {
        case .scalar(let scalar): scalar.string.isEmpty ? "nothing" : "a single value"
        case .mapping: "a mapping"
        case .sequence: "a list"
        case .alias: "an alias"
        }
    }
}
