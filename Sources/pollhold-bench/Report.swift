/// All figures of a comparison, the table that is printed and the JSON that is kept.
import Foundation

final class Report {
    /// Values of one server under one quantity, one a round.
    struct Series {
        let name: String
        var values: [Double] = []

        var median: Double { Report.median(values) }
    }

    private(set) var rows: [(quantity: Quantity, series: [Series])] = []
    var absent: [(PeerKind, String)] = []
    var failures: [String] = []

    func add(_ quantity: Quantity, _ name: String, _ value: Double) {
        let row =
            rows.firstIndex { $0.quantity == quantity }
            ?? {
                rows.append((quantity, []))
                return rows.count - 1
            }()
        guard let series = rows[row].series.firstIndex(where: { $0.name == name }) else {
            return rows[row].series.append(Series(name: name, values: [value]))
        }
        rows[row].series[series].values.append(value)
    }

    func add(_ quantity: Quantity, _ kind: PeerKind, _ value: Double) { add(quantity, kind.rawValue, value) }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        guard let last = sorted.last else { return .nan }
        let middle = sorted.count / 2
        return sorted.count % 2 == 1 ? sorted[middle] : ((sorted[middle - 1]) + min(last, sorted[middle])) / 2
    }

    /// Pollhold's figure by another's: the median of the rounds' ratios, since both of a round ran under the same load.
    private func ratio(_ series: [Series], to kind: PeerKind) -> Double? {
        guard let own = series.first(where: { $0.name == PeerKind.pollhold.rawValue }),
            let other = series.first(where: { $0.name == kind.rawValue })
        else { return nil }
        let ratios = zip(own.values, other.values).map { $0 / $1 }
        return ratios.isEmpty ? nil : Self.median(ratios)
    }

    // MARK: The table

    var table: String {
        var lines: [String] = []
        for quantity in Quantity.allCases {
            guard let row = rows.first(where: { $0.quantity == quantity }) else { continue }
            lines.append("\(quantity.rawValue) (\(quantity.unit))")
            for series in row.series { lines.append(line(series, of: row.series, quantity)) }
            for verdict in verdicts(quantity, row.series) { lines.append("    \(verdict.text)") }
            lines.append("")
        }
        lines += absent.map { "not measured: \($0.rawValue): \($1)" }
        lines += failures.map { "failed: \($0)" }
        return lines.joined(separator: "\n")
    }

    private func line(_ series: Series, of all: [Series], _ quantity: Quantity) -> String {
        let (median, low, high) = (series.median, series.values.min() ?? .nan, series.values.max() ?? .nan)
        let digits = quantity.digits
        let range = "(\(Self.text(low, digits)) to \(Self.text(high, digits)))"
        var ratio = ""
        if let kind = PeerKind(rawValue: series.name), kind != .pollhold, let value = self.ratio(all, to: kind) {
            ratio = "pollhold/\(kind.rawValue) \(Self.text(value, 2))"
        }
        return "    " + Self.padded(series.name, 24) + Self.padded(Self.text(median, digits), 12, right: true) + "  "
            + Self.padded(range, 24) + ratio
    }

    private func verdicts(_ quantity: Quantity, _ series: [Series]) -> [(text: String, isMet: Bool)] {
        quantity.goals.compactMap { goal in
            switch goal {
            case .atMost(let limit):
                guard let own = series.first(where: { $0.name == PeerKind.pollhold.rawValue }) else { return nil }
                return Self.verdict("≤ \(Self.text(limit, 0)) \(quantity.unit)", own.median <= limit)
            case .atMostTimes(let factor, let kind):
                return ratio(series, to: kind).map { Self.verdict("≤ \(factor) × \(kind.rawValue)", $0 <= factor) }
            case .atLeastTimes(let factor, let kind):
                return ratio(series, to: kind).map { Self.verdict("≥ \(factor) × \(kind.rawValue)", $0 >= factor) }
            }
        }
    }

    private static func verdict(_ text: String, _ isMet: Bool) -> (text: String, isMet: Bool) {
        ("goal \(text): \(isMet ? "met" : "NOT MET")", isMet)
    }

    static func text(_ value: Double, _ digits: Int) -> String {
        guard digits == 0, abs(value) >= 1000 else { return String(format: "%.\(digits)f", value) }
        // Thousands apart.
        var text = String(format: "%.0f", abs(value))
        var place = text.count - 3
        while place > 0 {
            text.insert(",", at: text.index(text.startIndex, offsetBy: place))
            place -= 3
        }
        return value < 0 ? "-" + text : text
    }

    private static func padded(_ text: String, _ width: Int, right: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return right ? space + text : text + space
    }

    // MARK: JSON

    func json(_ about: [String: String]) throws -> Data {
        let rows = rows.map { row -> [String: Any] in
            [
                "name": row.quantity.rawValue, "unit": row.quantity.unit,
                "series": row.series.map { series -> [String: Any] in
                    [
                        "name": series.name, "values": series.values, "median": series.median,
                        "min": series.values.min() ?? 0, "max": series.values.max() ?? 0,
                    ]
                },
                "goals": verdicts(row.quantity, row.series).map {
                    ["text": $0.text, "met": $0.isMet] as [String: Any]
                },
            ]
        }
        let all: [String: Any] = [
            "about": about, "rows": rows, "failures": failures,
            "absent": absent.map { ["name": $0.rawValue, "reason": $1] },
        ]
        return try JSONSerialization.data(withJSONObject: all, options: [.prettyPrinted, .sortedKeys])
    }
}
