/// A strict reader of Prometheus' text format 0.0.4, with the conventions for names on top: what a scraper would
/// tolerate is a fault here.
package struct PrometheusText {
    package struct Fault: Error, CustomStringConvertible {
        package let description: String
    }

    package struct Sample: Equatable {
        package let name: String
        package let labels: [String: String]
        package let value: Double
    }

    package struct Family {
        package let name: String
        package var help: String
        package var kind = ""
        package var samples: [Sample] = []
    }

    package private(set) var families: [Family] = []

    package init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Fault(description: "the last line has no end") }
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) { try read(line) }
        for family in families { try Self.check(family) }
    }

    /// Names of all samples, such as `pollhold_delivery_delay_seconds_bucket`.
    package var sampleNames: Set<String> { Set(families.flatMap(\.samples).map(\.name)) }

    package func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        families.flatMap(\.samples).first { $0.name == name && $0.labels == labels }?.value
    }

    // MARK: Lines

    private mutating func read(_ line: Substring) throws {
        if line.hasPrefix("# HELP ") {
            let words = line.dropFirst(7).split(separator: " ", maxSplits: 1)
            guard words.count == 2 else { throw Fault(description: "no help: \(line)") }
            let name = String(words[0])
            guard !families.contains(where: { $0.name == name }) else {
                throw Fault(description: "\(name) is described twice, or its samples are apart")
            }
            families.append(Family(name: name, help: String(words[1])))
        } else if line.hasPrefix("# TYPE ") {
            let words = line.dropFirst(7).split(separator: " ")
            guard words.count == 2, let last = families.last, last.name == words[0], last.kind.isEmpty,
                last.samples.isEmpty, ["counter", "gauge", "histogram"].contains(words[1])
            else { throw Fault(description: "not a type where one may stand: \(line)") }
            families[families.count - 1].kind = String(words[1])
        } else {
            let sample = try Self.sample(line)
            guard let family = families.last, !family.kind.isEmpty, Self.belongs(sample.name, to: family) else {
                throw Fault(description: "\(sample.name) does not stand behind its type")
            }
            guard !family.samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
                throw Fault(description: "twice: \(line)")
            }
            families[families.count - 1].samples.append(sample)
        }
    }

    private static func belongs(_ name: String, to family: Family) -> Bool {
        family.kind == "histogram"
            ? ["_bucket", "_sum", "_count"].contains { name == family.name + $0 } : name == family.name
    }

    /// `name{label="value",…} 1`
    private static func sample(_ line: Substring) throws -> Sample {
        var rest = line
        let name = String(rest.prefix { $0.isLowercase || $0.isNumber || $0 == "_" })
        guard let first = name.first, !first.isNumber, name.allSatisfy(\.isASCII) else {
            throw Fault(description: "no name: \(line)")
        }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while true {
                let label = String(rest.prefix { $0.isLowercase || $0 == "_" })
                rest = rest.dropFirst(label.count)
                guard !label.isEmpty, rest.hasPrefix("=\""), labels[label] == nil else {
                    throw Fault(description: "no label: \(line)")
                }
                rest = rest.dropFirst(2)
                labels[label] = try quoted(&rest, line)
                let next = rest.popFirst()
                if next == "}" { break }
                guard next == "," else { throw Fault(description: "no end of the labels: \(line)") }
            }
        }
        guard rest.popFirst() == " ", let value = Double(rest), value.isFinite, value >= 0 else {
            throw Fault(description: "no value: \(line)")
        }
        return Sample(name: name, labels: labels, value: value)
    }

    private static func quoted(_ rest: inout Substring, _ line: Substring) throws -> String {
        var value = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return value
            case "\\":
                switch rest.popFirst() {
                case "\\": value += "\\"
                case "\"": value += "\""
                case "n": value += "\n"
                default: throw Fault(description: "no escape: \(line)")
                }
            default: value.append(character)
            }
        }
        throw Fault(description: "a label without an end: \(line)")
    }

    // MARK: Families

    private static func check(_ family: Family) throws {
        let name = family.name
        guard !family.kind.isEmpty else { throw Fault(description: "\(name) has no type") }
        guard name.hasPrefix("pollhold_") else { throw Fault(description: "\(name) is not named after its program") }
        guard family.help.hasSuffix(".") else { throw Fault(description: "\(name): its help is no sentence") }
        guard name.hasSuffix("_total") == (family.kind == "counter") else {
            throw Fault(description: "\(name) is a \(family.kind)")
        }
        // Base units: seconds and bytes.
        let words = Set(name.split(separator: "_"))
        guard words.isDisjoint(with: ["ms", "milliseconds", "microseconds", "us", "kb", "mb", "kib", "mib", "percent"])
        else { throw Fault(description: "\(name) has a unit that is no base unit") }
        if family.kind == "histogram" { try checkHistogram(family) }
        let labels = Set(family.samples.map { Set($0.labels.keys).subtracting(["le"]) })
        guard labels.count <= 1 else { throw Fault(description: "\(name): its samples have unlike labels") }
    }

    private static func checkHistogram(_ family: Family) throws {
        let name = family.name
        guard name.hasSuffix("_seconds") || name.hasSuffix("_bytes") else {
            throw Fault(description: "\(name) names no unit")
        }
        let groups = Dictionary(grouping: family.samples) { $0.labels.filter { $0.key != "le" } }
        for (labels, samples) in groups {
            let buckets = samples.filter { $0.name == name + "_bucket" }
            let bounds = buckets.compactMap { $0.labels["le"].flatMap { $0 == "+Inf" ? .infinity : Double($0) } }
            guard bounds.count == buckets.count, bounds == bounds.sorted(), Set(bounds).count == bounds.count,
                bounds.last == .infinity
            else { throw Fault(description: "\(name)\(labels): its bounds don't rise up to +Inf") }
            let values = buckets.map(\.value)
            guard values == values.sorted() else { throw Fault(description: "\(name)\(labels): a bucket falls") }
            guard samples.first(where: { $0.name == name + "_count" })?.value == values.last,
                samples.contains(where: { $0.name == name + "_sum" }), samples.count == buckets.count + 2
            else { throw Fault(description: "\(name)\(labels): sum or count are missing or differ") }
        }
    }
}
