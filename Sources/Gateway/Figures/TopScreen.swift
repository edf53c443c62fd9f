/// The view of `pollhold top`: lines of text for a terminal of some size, made of two readings, so that it can say how
/// much happens a second.
import ByteText
import Polling

package struct TopScreen {
    private let before: DaemonReading
    private let now: DaemonReading
    /// Between the two.
    private let seconds: Double

    package init(before: DaemonReading, now: DaemonReading) {
        self.before = before
        self.now = now
        let elapsed = now.moment.nanoseconds - before.moment.nanoseconds
        seconds = max(0.001, Double(elapsed) / 1_000_000_000)
    }

    /// - Returns: as many lines as there is room for, none wider than the terminal. What matters most stands first.
    package func lines(columns: Int, rows: Int) -> [String] {
        var lines = head + [""] + flow + [""] + app
        if !now.routes.isEmpty { lines += [""] + rechecks }
        lines += [""] + channels
        return lines.prefix(max(1, rows)).map { Self.fitted($0, columns) }
    }

    // MARK: Parts

    private var head: [String] {
        let state = now.members["draining"] == "true" ? "DRAINING" : "serving"
        var lines = [
            "Pollhold \(now.members["version"] ?? "?")   pid \(now.members["pid"] ?? "?")   "
                + "up \(Self.span(now.number("uptime_seconds")))   \(now.number("workers")) workers   \(state)"
        ]
        if let reason = now.members["reload_error"] { lines.append("THE CONFIGURATION WAS REFUSED: \(reason)") }
        if now.number("store.failing") == 1 {
            lines.append("THE POOL CAN'T BE WRITTEN: \(now.members["store_error"] ?? "")")
        }
        return lines
    }

    private var flow: [String] {
        let held = now.number("held")
        let delay = Delays(
            before: before, now: now, name: "pollhold_delivery_delay_seconds", label: "", scale: .delay)
        return [
            row("Polls held", Self.count(held), "Connections", Self.count(now.number("connections"))),
            row("Polls/s", rate("polls"), "Accepted/s", rate("accepted")),
            row("Published/s", rate("published"), "Signals/s", rate("signals")),
            row("Delivered/s", rate("delivered"), "Delay", "\(delay.text(0.5))  99%: \(delay.text(0.99))"),
            row(
                "In the pool", "\(Self.count(now.number("pool.messages"))) messages",
                "Memory", Self.size(now.number("pool.bytes"))),
            row(
                "Gaps/s", rate("gaps"), "Refused/s",
                Self.rate(
                    ["refused_polls.limit", "refused_polls.client", "refused_connections", "refused", "store.refused"]
                        .map(perSecond).reduce(0, +))),
        ]
    }

    private var app: [String] {
        var lines = [
            columns("APP", ["in", "active", "answers/s", "half", "95%"])
        ]
        for server in now.servers {
            let label = "server=\"\(ServiceFigures.labelled(server.name))\""
            let name = "pollhold_upstream_response_seconds"
            let delays = Delays(before: before, now: now, name: name, label: label, scale: .upstream)
            lines.append(
                columns(
                    server.name,
                    [
                        server.isIn ? "yes" : "OUT", Self.count(server.active),
                        Self.rate(Double(delays.total) / seconds), delays.text(0.5), delays.text(0.95),
                    ]))
        }
        lines.append(
            "passed on/s \(rate("proxied"))   without an answer/s \(rate("upstream.failures"))   "
                + "waiting for a server \(now.number("upstream.waiting"))")
        return lines
    }

    private var rechecks: [String] {
        [columns("RECHECK ROUTE", ["held", "polls/s", "asked/s", "spared/s", "new/s"])]
            + now.routes.map { route in
                let news = perSecond("rechecks.\(route).questions") - perSecond("rechecks.\(route).nothing_new")
                return columns(
                    route,
                    [
                        Self.count(now.number("rechecks.\(route).held")), rate("rechecks.\(route).polls"),
                        rate("rechecks.\(route).questions"), rate("rechecks.\(route).spared"),
                        Self.rate(max(0, news)),
                    ])
            }
    }

    private var channels: [String] {
        [columns("CHANNEL", ["held", "messages", "bytes"])]
            + now.channels.map { channel in
                columns(
                    channel.name,
                    [Self.count(channel.waiting), Self.count(channel.messages), Self.size(channel.bytes)])
            }
    }

    // MARK: Text

    private func perSecond(_ path: String) -> Double {
        let (old, new) = (before.number(path), now.number(path))
        // A daemon that was started anew counts from zero.
        return Double(new >= old ? new - old : new) / seconds
    }

    private func rate(_ path: String) -> String { Self.rate(perSecond(path)) }

    private func row(_ name: String, _ value: String, _ other: String, _ otherValue: String) -> String {
        Self.left(name, 14) + Self.left(value, 22) + Self.left(other, 14) + otherValue
    }

    private func columns(_ name: String, _ values: [String]) -> String {
        let name = name.count > 30 ? name.prefix(29) + "…" : name[...]
        return Self.left(String(name), 30) + values.map { Self.right($0, 10) }.joined()
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }

    /// Cut at the terminal's width; control characters would move its cursor.
    private static func fitted(_ line: String, _ columns: Int) -> String {
        let plain = line.unicodeScalars.map {
            $0.value < 0x20 || (0x7F...0x9F).contains($0.value) ? "?" : Character($0)
        }
        return String(plain.prefix(max(1, columns)))
    }

    /// `12,345`
    private static func count(_ number: UInt64) -> String {
        var text = ""
        for (place, digit) in String(number).reversed().enumerated() {
            if place > 0, place % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }

    /// `0.3`, or without a fraction from 100 on.
    private static func rate(_ value: Double) -> String {
        if value >= 99.95 { return count(UInt64(value.rounded())) }
        let tenths = UInt64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func size(_ bytes: UInt64) -> String {
        var (value, unit) = (Double(bytes), "B")
        for next in ["KiB", "MiB", "GiB"] where value >= 1024 { (value, unit) = (value / 1024, next) }
        return unit == "B" ? "\(bytes) B" : "\(rate(value)) \(unit)"
    }

    /// `3d 04:05:06`
    private static func span(_ seconds: UInt64) -> String {
        let clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        return (seconds >= 86400 ? "\(seconds / 86400)d " : "") + clock.joined(separator: ":")
    }
}

/// What a histogram counted between two readings.
private struct Delays {
    private var cumulative: [UInt64] = []
    private let scale: Histogram.Scale

    init(before: DaemonReading, now: DaemonReading, name: String, label: String, scale: Histogram.Scale) {
        self.scale = scale
        let prefix = label.isEmpty ? "" : label + ","
        let bounds = scale.bounds
        let texts = bounds.indices.map { ServiceFigures.seconds(bounds[$0]) } + ["+Inf"]
        for text in texts {
            let sample = "\(name)_bucket{\(prefix)le=\"\(text)\"}"
            let (old, new) = (before.sample(sample), now.sample(sample))
            cumulative.append(UInt64(new >= old ? new - old : new))
        }
    }

    var total: UInt64 { cumulative.last ?? 0 }

    /// The bound within which such a part was, e.g. `<2.5 ms`; `-` if there was nothing.
    func text(_ part: Double) -> String {
        guard total > 0 else { return "-" }
        let wanted = max(1, UInt64((part * Double(total)).rounded(.up)))
        let bounds = scale.bounds
        for place in bounds.indices where cumulative[place] >= wanted { return "<\(Self.time(bounds[place]))" }
        return ">\(Self.time(bounds[15]))"
    }

    private static func time(_ microseconds: UInt64) -> String {
        if microseconds >= 1_000_000 { return "\(ServiceFigures.seconds(microseconds)) s" }
        return "\(ServiceFigures.seconds(microseconds * 1000)) ms"
    }
}
