/// The figures of recheck routes written out, by route.
import ByteText
import JSONText

extension ServiceFigures {
    private struct Row: Sendable {
        let key: String
        let prose: String
        var isGauge = false
        /// Prometheus wants seconds; the histograms have them.
        var isForJSONAlone = false
        let value: @Sendable (RecheckFigures) -> UInt64
    }

    private static let rows = [
        Row(key: "open", prose: "Recheck polls under way.", isGauge: true) { UInt64($0.open) },
        Row(key: "held", prose: "Recheck polls that wait, with nothing to ask.", isGauge: true) { UInt64($0.held) },
        Row(key: "polls", prose: "Recheck polls received.") { $0.polls },
        Row(key: "spared", prose: "Recheck polls held without asking the application.") { $0.spared },
        Row(key: "questions", prose: "Questions to the application.") { $0.questions },
        Row(key: "nothing_new", prose: "Questions whose answer was held back.") { $0.nothingNew },
        Row(key: "failed", prose: "Questions that the application did not answer.") { $0.failed },
        Row(key: "unsignalled", prose: "Answers that were new though nothing had been published.") { $0.unsignalled },
        Row(key: "shared", prose: "Polls answered by another's question.") { $0.shared },
        Row(key: "passed", prose: "Polls passed on because the queue was full.") { $0.passed },
        Row(key: "abandoned", prose: "Recheck polls whose client left before the answer.") { $0.abandoned },
        Row(key: "observed", prose: "Polls passed on because the route observes.") { $0.observed },
        Row(key: "question_ms", prose: "", isForJSONAlone: true) { $0.questionTime / 1000 },
        Row(key: "observed_ms", prose: "", isForJSONAlone: true) { $0.observedTime / 1000 },
    ]

    private var routes: [(path: String, figures: RecheckFigures)] {
        traffic.rechecks.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    /// For Prometheus alone; the JSON has an object per route.
    var recheckFigures: [Figure] {
        let routes = routes
        var figures: [Figure] = []
        for row in Self.rows where !row.isForJSONAlone {
            for route in routes {
                figures.append(
                    Figure(
                        key: "", metric: "pollhold_recheck_\(row.key)\(row.isGauge ? "" : "_total")",
                        label: "route=\"\(Self.labelled(route.path))\"", kind: row.isGauge ? .gauge : .counter,
                        prose: row.prose, value: row.value(route.figures)))
            }
        }
        for route in routes {
            for (release, count) in zip(RecheckExchange.Release.allCases, route.figures.released) {
                figures.append(
                    Figure(
                        key: "", metric: "pollhold_recheck_released_total",
                        label: "route=\"\(Self.labelled(route.path))\",reason=\"\(release.rawValue)\"", kind: .counter,
                        prose: "Recheck polls answered, by reason.", value: count))
            }
        }
        return figures
    }

    /// A label's value: quotes and backslashes are escaped. A path of the configuration has no line feed.
    static func labelled(_ path: String) -> String {
        String(path.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] })
    }

    func appendRechecks(to text: inout [UInt8]) {
        text.append(#","rechecks":{"#)
        for (index, route) in routes.enumerated() {
            if index > 0 { text.append(",") }
            text.append(jsonText: route.path)
            for (place, row) in Self.rows.enumerated() {
                text.append(place == 0 ? ":{" : ",")
                text.append(jsonText: row.key)
                text.append(":")
                text.append(decimal: row.value(route.figures))
            }
            text.append(#","released":{"#)
            for (place, release) in zip(RecheckExchange.Release.allCases, route.figures.released).enumerated() {
                if place > 0 { text.append(",") }
                text.append(jsonText: release.0.rawValue)
                text.append(":")
                text.append(decimal: release.1)
            }
            text.append("}}")
        }
        text.append("}")
    }
}
