/// Reading how a hold's answers look and who keeps the cursor, for pages that know nothing of either.
import Yams

/// The shape of a whole answer, so that an old page gets what its application used to send.
package struct AnswerTemplate: Equatable, Sendable {
    /// How what is put in is kept from breaking out of its place.
    package enum Escaping: Equatable, Sendable {
        case json
        case xml
        case none
    }

    /// The Content-Type field.
    package var type: String
    package var answer: TemplateText
    /// Of one message.
    package var message: TemplateText
    /// Between two messages.
    package var separator: String

    /// By the media type: JSON, XML and HTML have ways to escape, other text has none.
    package var escaping: Escaping {
        let media = type.prefix { $0 != ";" }.lowercased()
        if media.contains("json") || media.contains("javascript") { return .json }
        return media.contains("xml") || media.contains("html") ? .xml : .none
    }
}

extension Configuration {
    static func cursorKeeping(_ section: SectionReader) -> Hold.CursorKeeping {
        let name = section.text("cookie") ?? ""
        if !isToken(name) {
            section.collector.note(
                section.node("cookie")?.mark, found: "cookie: \(section.quoted(name))",
                expected: "expected a cookie's name: letters, digits and !#$%&'*+-.^_`|~")
        }
        return switch section.choice("cursor", as: CursorWord.self) {
        case .cookie: .cookie(name)
        case .take: .taking
        case .client, nil: .client
        }
    }

    private enum CursorWord: String, CaseIterable {
        case client
        case cookie
        case take
    }

    static func answerTemplate(_ section: SectionReader) -> AnswerTemplate? {
        let isThere = section.has("template")
        let template = section.section("template")
        let type = template.text("type") ?? ""
        let separator = template.anyText("separator") ?? ","
        let answer = text(template, "answer", [.answerCursor, .answerMessages, .answerGap, .answerCount])
        let message = text(template, "message", [.messageID, .messageChannel, .messageData])
        guard isThere else { return nil }
        template.require("answer")
        if section.has("format") {
            section.collector.note(
                section.node("format")?.mark, found: "a format beside a template",
                expected: "expected one of the two")
        }
        if !type.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) {
            template.collector.note(
                template.node("type")?.mark, found: "type: \(template.quoted(type))", expected: "expected a media type")
        }
        guard let answer else { return nil }
        if !answer.references.contains(where: { $0.source == .answerMessages }) {
            template.collector.note(
                template.node("answer")?.mark, found: "an answer without {messages}",
                expected: "expected the place where the messages go")
        }
        return AnswerTemplate(
            type: type, answer: answer, message: message ?? TemplateText(.messageData, ""), separator: separator)
    }

    private static func text(
        _ section: SectionReader, _ key: String, _ sources: Set<TemplateText.Source>
    ) -> TemplateText? {
        let rules = TemplateRules(sources: sources, paths: [], place: "this template")
        return template(section, key, rules)
    }

    static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
    }
}
