/// Reading templates: which references may stand in which place.
import Yams

extension Configuration {
    /// What a template may refer to, by what is known when it is filled in.
    struct TemplateRules {
        let sources: Set<TemplateText.Source>
        /// Paths whose captures may be referred to; empty: not known, since the path itself has a flaw.
        let paths: [PathPattern]
        /// The place, for errors.
        let place: String

        static let requestSources: Set<TemplateText.Source> = [
            .path, .wholePath, .query, .cookie, .header, .clientAddress,
        ]
        static let contentSources: Set<TemplateText.Source> = [.form, .json]
        static let responseSources: Set<TemplateText.Source> = [.responseHeader, .responseJSON]
    }

    static func templates(_ section: SectionReader, _ key: String, _ rules: TemplateRules) -> [TemplateText] {
        section.scalars(key).compactMap { text, mark in template(text, mark, section, key, rules) }
    }

    /// One template of a key that has one.
    static func template(_ section: SectionReader, _ key: String, _ rules: TemplateRules) -> TemplateText? {
        guard section.has(key) else {
            _ = section.row(key)
            return nil
        }
        return templates(section, key, rules).first
    }

    static func template(
        _ text: String, _ mark: Mark?, _ section: SectionReader, _ key: String, _ rules: TemplateRules
    ) -> TemplateText? {
        do throws(TemplateText.Flaw) {
            let template = try TemplateText(text)
            for reference in template.references { check(reference, mark, section, rules) }
            if template.parts.isEmpty {
                section.collector.note(mark, found: "\(key): an empty name", expected: "expected a template")
            }
            return template
        } catch {
            section.collector.note(
                mark, found: "\(key): \(error.found)", expected: "expected \(error.expected)",
                columnOffset: error.offset)
            return nil
        }
    }

    private static func check(
        _ reference: TemplateText.Reference, _ mark: Mark?, _ section: SectionReader, _ rules: TemplateRules
    ) {
        guard rules.sources.contains(reference.source) else {
            let known = TemplateText.Source.allCases.filter(rules.sources.contains).map(\.form)
            section.collector.note(
                mark, found: "{\(reference.text)}",
                expected: "it is not known in \(rules.place); expected one of \(known.joined(separator: ", "))")
            return
        }
        guard reference.source == .path else { return }
        for path in rules.paths where !path.captureNames.contains(reference.name) {
            section.collector.note(
                mark, found: "{path.\(reference.name)}", expected: "expected a capture of the path \(path)")
        }
    }
}
