/// What is wrong with a configuration file, where, and what was expected.
package struct ConfigurationError: Error, Equatable, Sendable {
    /// As it was named when it was opened.
    package let file: String
    /// From 1; 0 for the file as a whole.
    package let line: Int
    /// From 1, in characters.
    package let column: Int
    package let found: String
    package let expected: String
    /// The line itself, for the caret.
    package let lineText: String?
}

extension ConfigurationError: CustomStringConvertible {
    /// `file:line:column: found; expected`, and below it the line with a caret.
    package var description: String {
        let place = line > 0 ? "\(file):\(line):\(column)" : file
        let head = "\(place): \(found); \(expected)"
        guard let lineText, line > 0 else { return head }
        // Tabs stay tabs, so that the caret stands where the eye expects it.
        let indent = lineText.prefix(max(0, column - 1)).map { $0 == "\t" ? "\t" : " " }.joined()
        return "\(head)\n    \(lineText)\n    \(indent)^"
    }
}

/// All errors of a file, in the order of their places.
package struct ConfigurationErrors: Error, CustomStringConvertible {
    package let errors: [ConfigurationError]

    package var description: String { errors.map(\.description).joined(separator: "\n") }
}

/// The nearest word to a misspelt one.
enum NearestWord {
    /// - Returns: one of `words` that few changes make of `word`; nil if none is near.
    static func to(_ word: String, among words: [String]) -> String? {
        let candidates = words.map { (word: $0, distance: distance(word.lowercased(), $0)) }
        guard let best = candidates.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(1, min(word.count, best.word.count) / 3) ? best.word : nil
    }

    /// Insertions, deletions, replacements and swaps of neighbours.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.utf8.prefix(64)), Array(right.utf8.prefix(64)))
        var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
        for row in 0...a.count { rows[row][0] = row }
        for column in 0...b.count { rows[0][column] = column }
        guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
        for row in 1...a.count {
            for column in 1...b.count {
                let change = a[row - 1] == b[column - 1] ? 0 : 1
                var best = min(rows[row - 1][column] + 1, rows[row][column - 1] + 1, rows[row - 1][column - 1] + change)
                if row > 1, column > 1, a[row - 1] == b[column - 2], a[row - 2] == b[column - 1] {
                    best = min(best, rows[row - 2][column - 2] + 1)
                }
                rows[row][column] = best
            }
        }
        return rows[a.count][b.count]
    }
}
