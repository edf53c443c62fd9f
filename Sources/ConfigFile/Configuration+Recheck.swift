/// Recheck routes: the application's own poll endpoint, whose empty answers are held back.
import Yams

extension Configuration {
    package struct Recheck: Equatable, Sendable {
        package var channels: [TemplateText]
        /// Any of these means that there is nothing new.
        package var nothingNew: [NothingNew]
        package var timeout: Duration
        /// POST is held too, beside GET and HEAD.
        package var holdsPosts: Bool
        /// Questions to the application at a time.
        package var concurrency: Int
        /// Polls that wait for their first question.
        package var queue: Int
        /// What makes questions the same; nil: nothing does.
        package var share: [ShareKey]?
        /// The longest distance between two questions of one poll.
        package var debounce: Duration
        /// Polls at which the distance is that long.
        package var debouncePolls: Int
        package var passEvery: Duration?
        package var supersede: TemplateText?
        /// Query parameters that don't tell requests apart.
        package var ignore: [String]
        /// A longer answer is passed on without being judged.
        package var answerBytes: Int
        package var empty: Empty?
        package var observe: Bool
        package var proxy: Proxy

        /// What a part of a question's identity is.
        package enum ShareKey: Equatable, Sendable {
            case path
            case query
            case cookie(String)
            /// In lower case.
            case header(String)
        }
    }

    /// One look of "nothing new"; everything that is said must fit.
    package struct NothingNew: Equatable, Sendable {
        package var status: [StatusPattern]
        package var body: String?
        package var pattern: String?
        /// A JSON pointer to what is empty.
        package var empty: String?
        package var same: Bool
    }

    static func recheck(_ section: SectionReader, path: PathPattern?, _ proxy: Proxy) -> Recheck {
        section.require("channels")
        let posts = holdsPosts(section)
        var sources = TemplateRules.requestSources
        if posts { sources.formUnion(TemplateRules.contentSources) }
        let rules = TemplateRules(sources: sources, paths: path.map { [$0] } ?? [], place: "a recheck's channels")
        let key = TemplateRules(
            sources: TemplateRules.requestSources, paths: path.map { [$0] } ?? [], place: "supersede")
        return Recheck(
            channels: templates(section, "channels", rules), nothingNew: nothingNew(section),
            timeout: section.duration("timeout"), holdsPosts: posts, concurrency: section.integer("concurrency"),
            queue: section.integer("queue"), share: share(section), debounce: section.duration("debounce"),
            debouncePolls: section.integer("debounce_polls"), passEvery: section.optionalDuration("pass_every"),
            supersede: template(section, "supersede", key), ignore: ignored(section),
            answerBytes: section.size("answer"),
            empty: section.has("empty") ? empty(section.section("empty")) : nil,
            observe: section.boolean("observe"), proxy: proxy)
    }

    private static func ignored(_ section: SectionReader) -> [String] {
        section.scalars("ignore").compactMap { text, mark in
            if !text.isEmpty, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"?&=#;".utf8.contains($0) }) {
                return text
            }
            section.collector.note(
                mark, found: "ignore: \(section.quoted(text))",
                expected: "expected \(section.row("ignore").expectation)")
            return nil
        }
    }

    static func holdsPosts(_ section: SectionReader) -> Bool {
        let words = section.scalars("methods")
        for (text, mark) in words where !["GET", "HEAD", "POST"].contains(text) {
            section.collector.note(
                mark, found: "methods: \(section.quoted(text))",
                expected: "expected \(section.row("methods").expectation)")
        }
        return words.contains { $0.text == "POST" }
    }

    private static func nothingNew(_ section: SectionReader) -> [NothingNew] {
        section.require("nothing_new")
        let row = section.row("nothing_new")
        guard let node = section.node("nothing_new") else { return looks(of: [], section, row) }
        return looks(of: node.sequence.map { Array($0) } ?? [node], section, row)
    }

    private static func looks(of nodes: [Node], _ section: SectionReader, _ row: Directive) -> [NothingNew] {
        if nodes.isEmpty, section.has("nothing_new") {
            section.collector.note(
                section.node("nothing_new")?.mark, found: "nothing_new: an empty list",
                expected: "expected \(row.expectation)")
        }
        return nodes.map { node in
            let look = SectionReader(section.collector, path: row.path, node: node, mark: node.mark)
            let pointer = look.text("empty")
            if let pointer, !TemplateText.isPointer(pointer) {
                look.collector.note(
                    look.node("empty")?.mark, found: "empty: \(look.quoted(pointer))",
                    expected: "expected \(look.row("empty").expectation)")
            }
            let status = look.has("status") ? statuses(look, "status") : []
            _ = look.row("status")
            let (body, pattern, same) = (look.anyText("body"), look.text("pattern"), look.boolean("same"))
            if node.mapping != nil, status.isEmpty, body == nil, pattern == nil, pointer == nil, !same {
                look.collector.note(
                    node.mark, found: "a look that everything has",
                    expected: "expected one of status, body, pattern, empty and same: true")
            }
            return NothingNew(status: status, body: body, pattern: pattern, empty: pointer, same: same)
        }
    }

    private static func share(_ section: SectionReader) -> [Recheck.ShareKey]? {
        guard section.has("share") else {
            _ = section.row("share")
            return nil
        }
        return section.scalars("share").compactMap { text, mark in
            switch text {
            case "path": return .path
            case "query": return .query
            case _ where text.hasPrefix("cookie.") && text.count > 7: return .cookie(String(text.dropFirst(7)))
            case _ where text.hasPrefix("header.") && text.count > 7:
                return .header(String(text.dropFirst(7)).lowercased())
            default:
                section.collector.note(
                    mark, found: "share: \(section.quoted(text))",
                    expected: "expected \(section.row("share").expectation)")
                return nil
            }
        }
    }
}
