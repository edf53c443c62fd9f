import Foundation
import SharedByTests

/// A table in Markdown: rows of trimmed cells, without the head and its rule.
private func cells(of text: String, under heading: String) -> [[String]] {
    var isUnder = false
    var rows: [[String]] = []
    for line in text.split(separator: "\n").map(String.init) {
        if line.hasPrefix("## ") { isUnder = line == "## \(heading)" }
        guard isUnder, line.hasPrefix("|"), !line.hasPrefix("|-") else { continue }
        rows.append(
            line.dropFirst().dropLast().split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            })
    }
    return Array(rows.dropFirst())
}

private func withoutQuotes(_ cell: String) -> String { cell.filter { $0 != "`" } }

/// `differences.md`: what each proxy adds to every request, and where a peer passes on something else than Pollhold.
struct DifferenceTables {
    struct Row {
        let request: String
        let proxy: String
        let difference: String
        let reason: String
    }

    let rows: [Row]
    private let added: [String: Set<String>]

    init(_ file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        var added: [String: Set<String>] = [:]
        for row in cells(of: text, under: "What each adds") where row.count == 3 {
            added[row[0], default: []].insert(withoutQuotes(row[1]))
        }
        self.added = added
        rows = try cells(of: text, under: "Differences").map { row in
            guard row.count == 4 else { throw TestFailure("a row of \(row.count) cells: \(row)") }
            return Row(
                request: row[0], proxy: row[1], difference: withoutQuotes(row[2]), reason: row[3])
        }
    }

    /// What a peer passed on otherwise than Pollhold, apart from the fields that each adds.
    func differences(_ ours: RecordedRequest, _ theirs: RecordedRequest, of peer: String) -> [String] {
        var found: [String] = []
        if ours.method != theirs.method { found.append("method \(Self.shown(theirs.method))") }
        if ours.target != theirs.target { found.append("target \(Self.shown(theirs.target))") }
        if ours.version != theirs.version { found.append("version \(Self.shown(theirs.version))") }
        if ours.content != theirs.content { found.append("other content") }
        let (mine, others) = (Self.trailers(ours), Self.trailers(theirs))
        if mine != others { found.append("trailers \(others.isEmpty ? "none" : others.joined(separator: "; "))") }
        found += changes(from: lines(ours, of: "pollhold"), to: lines(theirs, of: peer))
        return found
    }

    private func changes(from mine: [String], to others: [String]) -> [String] {
        others.difference(from: mine).inferringMoves().compactMap { change in
            switch change {
            case .insert(_, let line, let move): "\(move == nil ? "has" : "moves") \(line)"
            case .remove(_, let line, let move): move == nil ? "lacks \(line)" : nil
            }
        }
    }

    /// Names have no case.
    private static func trailers(_ request: RecordedRequest) -> [String] {
        (request.trailers ?? []).map { line in
            let name = line.prefix { $0 != ":" }
            return name.lowercased() + line.dropFirst(name.count)
        }
    }

    private func lines(_ request: RecordedRequest, of proxy: String) -> [String] {
        // How the content's end is told is each hop's own matter; the content itself is compared.
        let own = (added[proxy] ?? []).union(["content-length", "transfer-encoding"])
        return request.fields.filter { !own.contains($0.name) }.map { Self.shown("\($0.name): \($0.value)") }
    }

    /// Text as it can stand in a cell.
    private static func shown(_ text: String) -> String {
        var shown = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "|", "`", "\\", "\u{0}"..<" ", "\u{7F}"...: shown += "\\x" + String(format: "%02x", scalar.value)
            default: shown.unicodeScalars.append(scalar)
            }
        }
        return shown.count > 100 ? "\(shown.prefix(20))… (\(shown.count))" : shown
    }
}

/// `malformed.md`: bytes that are no request, and what each proxy does with them.
enum MalformedTable {
    struct Row {
        let title: String
        let bytes: [UInt8]
        let verdicts: [String: String]
    }

    static func rows(_ file: URL) throws -> [Row] {
        try cells(of: String(contentsOf: file, encoding: .utf8), under: "Verdicts").map { row in
            guard row.count == 5 else { throw TestFailure("a row of \(row.count) cells: \(row)") }
            return Row(
                title: row[0], bytes: CaseText.bytes(withoutQuotes(row[1])),
                verdicts: ["pollhold": row[2], "nginx": row[3], "haproxy": row[4]])
        }
    }
}
