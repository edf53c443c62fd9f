/// The histograms written out: for Prometheus whole, in the JSON as the values that an operator looks for.
import ByteText

/// A histogram with its names.
struct HistogramFigure {
    let metric: String
    /// e.g. `kind="hold"`; empty for none.
    var label = ""
    let prose: String
    let scale: Histogram.Scale
    let histogram: Histogram
}

extension ServiceFigures {
    /// Those of one metric behind one another.
    private var histograms: [HistogramFigure] {
        [("hold", traffic.holdTimes), ("recheck", traffic.recheckTimes)].map { kind, histogram in
            HistogramFigure(
                metric: "pollhold_poll_duration_seconds", label: "kind=\"\(kind)\"",
                prose: "Time from a poll's request to its answer, by the kind of its route.", scale: .poll,
                histogram: histogram)
        } + [
            HistogramFigure(
                metric: "pollhold_delivery_delay_seconds",
                prose: "Time from a publish to the answer of a poll that it released.", scale: .delay,
                histogram: traffic.deliveryDelays)
        ]
            + servers.map { server in
                HistogramFigure(
                    metric: "pollhold_upstream_response_seconds",
                    label: "server=\"\(Self.labelled(server.name))\"",
                    prose: "Time from sending a request to the application until its response began.",
                    scale: .upstream, histogram: server.times)
            }
    }

    /// Members of the JSON alone.
    var delayFigures: [Figure] {
        var upstream = Histogram()
        for server in servers { upstream.add(server.times) }
        let shown: [(String, Histogram, Histogram.Scale)] = [
            ("delivery_delay", traffic.deliveryDelays, .delay), ("upstream_time", upstream, .upstream),
        ]
        var failures: UInt64 = 0
        for place in traffic.upstreamFailures.indices { failures += traffic.upstreamFailures[place] }
        let sum = Figure(key: "upstream.failures", metric: "", kind: .counter, prose: "", value: failures)
        return [sum]
            + shown.flatMap { name, histogram, scale in
                [
                    ("count", histogram.count), ("p50_microseconds", histogram.quantile(0.5, on: scale)),
                    ("p99_microseconds", histogram.quantile(0.99, on: scale)),
                ].map { Figure(key: "\(name).\($0)", metric: "", kind: .gauge, prose: "", value: $1) }
            }
    }

    func appendHistograms(to text: inout [UInt8]) {
        var described = ""
        for figure in histograms {
            if figure.metric != described {
                described = figure.metric
                text.append(contentsOf: "# HELP \(figure.metric) \(figure.prose)\n".utf8)
                text.append(contentsOf: "# TYPE \(figure.metric) histogram\n".utf8)
            }
            append(figure, to: &text)
        }
    }

    private func append(_ figure: HistogramFigure, to text: inout [UInt8]) {
        let cumulative = figure.histogram.cumulative
        let bounds = figure.scale.bounds
        let prefix = figure.label.isEmpty ? "" : figure.label + ","
        for place in bounds.indices {
            let bound = Self.seconds(bounds[place])
            text.append(contentsOf: "\(figure.metric)_bucket{\(prefix)le=\"\(bound)\"} \(cumulative[place])\n".utf8)
        }
        text.append(contentsOf: "\(figure.metric)_bucket{\(prefix)le=\"+Inf\"} \(cumulative[16])\n".utf8)
        let label = figure.label.isEmpty ? "" : "{\(figure.label)}"
        text.append(contentsOf: "\(figure.metric)_sum\(label) \(Self.seconds(figure.histogram.sum))\n".utf8)
        text.append(contentsOf: "\(figure.metric)_count\(label) \(cumulative[16])\n".utf8)
    }

    /// `0.00025`, without zeros at its end.
    static func seconds(_ microseconds: UInt64) -> String {
        let (whole, rest) = microseconds.quotientAndRemainder(dividingBy: 1_000_000)
        guard rest > 0 else { return "\(whole)" }
        var digits = String(rest + 1_000_000).dropFirst()
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
