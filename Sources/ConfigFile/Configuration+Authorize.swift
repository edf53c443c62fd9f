/// Who may listen, asked of the application itself.
import Yams

extension Configuration {
    package struct Authorize: Equatable, Sendable {
        /// What the application is asked: a path; the poll's own query goes with it.
        package var path: String
        /// What tells clients apart.
        package var credential: TemplateText?
        /// How long an answer counts.
        package var cache: Duration
        /// Requests that end it.
        package var logout: [RequestPattern]
    }

    static func authorize(_ section: SectionReader) -> Authorize {
        section.require("path")
        section.require("credential")
        let path: String? = section.read("path") { _, text in
            let isPath = text.hasPrefix("/") && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            return isPath && !text.contains("?") && !text.contains("#") ? text : nil
        }
        let rules = TemplateRules(
            sources: [.cookie, .header, .query], paths: [], place: "a credential")
        let logout = section.has("logout") ? requestPatterns(section, "logout") : []
        _ = section.row("logout")
        return Authorize(
            path: path ?? "/", credential: template(section, "credential", rules), cache: section.duration("cache"),
            logout: logout)
    }
}
