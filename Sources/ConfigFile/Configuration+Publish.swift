/// Publish rules: what of the ordinary traffic is a publish.
import ByteText
import Yams

extension Configuration {
    package struct PublishRule: Equatable, Sendable {
        /// Any of these.
        package var requests: [RequestPattern]
        package var statuses: [StatusPattern]
        package var channels: [TemplateText]
        package var data: Data
        /// Who may send what is answered here.
        package var from: AddressList
        /// The status with which Pollhold answers instead of the application; nil: it doesn't.
        package var answer: Int?

        package enum Data: Equatable, Sendable {
            /// A signal.
            case none
            case request
            case response
            case template(TemplateText)
        }
    }

    static func publishRules(_ root: SectionReader) -> [PublishRule] {
        _ = root.row("publish")
        guard let node = root.node("publish") else { return [] }
        guard let sequence = node.sequence else {
            root.collector.note(node.mark, found: node.kindText, expected: "expected a list of publish rules")
            return []
        }
        return sequence.compactMap { entry in
            let section = SectionReader(root.collector, path: "publish[]", node: entry, mark: entry.mark)
            return entry.mapping == nil ? nil : publishRule(section)
        }
    }

    private static func publishRule(_ section: SectionReader) -> PublishRule {
        let requests =
            section.has("when")
            ? requestPatterns(section, "when") : [RequestPattern(methods: [], path: .everything)]
        _ = section.row("when")
        let purges = requests.contains(where: \.purges)
        let answer = section.optionalInteger("answer") ?? (purges ? 200 : nil)
        section.require("channels")
        var sources = TemplateRules.requestSources
        if answer == nil { sources.formUnion(TemplateRules.contentSources.union(TemplateRules.responseSources)) }
        let place = answer == nil ? "a publish rule" : "a rule that Pollhold answers itself"
        let rules = TemplateRules(sources: sources, paths: requests.map(\.path), place: place)
        let data = data(section, rules)
        if answer != nil, data == .request || data == .response {
            section.collector.note(
                section.node("data")?.mark, found: "the data of a request that Pollhold answers itself",
                expected: "expected data: none or a template")
        }
        let from = addresses(section, "from")
        if answer != nil, !section.has("from") {
            section.collector.note(
                section.mark, found: "a rule that answers clients without saying which",
                expected: "expected from: the addresses that may send this, such as [127.0.0.1, unix]")
        }
        return PublishRule(
            requests: requests, statuses: statuses(section, "status"),
            channels: templates(section, "channels", rules), data: data, from: from, answer: answer)
    }

    static func requestPatterns(_ section: SectionReader, _ key: String) -> [RequestPattern] {
        section.scalars(key).compactMap { text, mark in
            do throws(PathPattern.Flaw) {
                if let pattern = try RequestPattern(text) { return pattern }
                section.collector.note(
                    mark, found: "\(key): \(section.quoted(text))", expected: "expected \(section.row(key).expectation)"
                )
            } catch {
                section.collector.note(
                    mark, found: "\(key): \(section.quoted(text))", expected: "expected \(error.expected)")
            }
            return nil
        }
    }

    static func statuses(_ section: SectionReader, _ key: String) -> [StatusPattern] {
        section.scalars(key).compactMap { text, mark in
            if let pattern = StatusPattern(text) { return pattern }
            section.collector.note(
                mark, found: "\(key): \(section.quoted(text))", expected: "expected \(section.row(key).expectation)")
            return nil
        }
    }

    static func addresses(_ section: SectionReader, _ key: String) -> AddressList {
        var list = AddressList()
        for (text, mark) in section.scalars(key) {
            let bytes = Array(text.utf8)
            if text == "unix" {
                list.includesUnix = true
            } else if let range = AddressRange(bytes.span) {
                list.ranges.append(range)
            } else {
                section.collector.note(
                    mark, found: "\(key): \(section.quoted(text))",
                    expected: "expected \(section.row(key).expectation)")
            }
        }
        return list
    }

    /// A word, or a template; a template has a reference in it, so that a misspelt word is not taken for one.
    private static func data(_ section: SectionReader, _ rules: TemplateRules) -> PublishRule.Data {
        guard let (text, mark) = section.scalars("data").first else { return .none }
        switch text {
        case "none": return .none
        case "request": return .request
        case "response": return .response
        default:
            guard text.contains("{") else {
                section.collector.note(
                    mark, found: "data: \(section.quoted(text))",
                    expected: "expected \(section.row("data").expectation)")
                return .none
            }
            return template(text, mark, section, "data", rules).map { .template($0) } ?? .none
        }
    }
}
