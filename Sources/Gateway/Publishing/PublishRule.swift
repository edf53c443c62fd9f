/// A publish rule of the configuration, ready for use: which requests of ordinary traffic it is for, and what they make
/// it publish (DESIGN §4).
///
/// A class, because every exchange that a rule watches refers to it.
import ByteText
package import ConfigFile
package import HTTP1
package import Polling

package final class PublishRule: Sendable {
    /// A request may name that many channels; a rule that would make more does nothing.
    static let channelsLimit = 32

    private let requests: [RequestPattern]
    private let statuses: [StatusPattern]
    let channels: [TemplateText]
    let data: Configuration.PublishRule.Data
    /// Who may send what this rule answers; nil: the rule answers nothing.
    private let allowed: AddressList?
    /// The status with which Pollhold answers instead of the app.
    package let answer: Int?

    package init(_ rule: Configuration.PublishRule) {
        requests = rule.requests
        statuses = rule.statuses
        channels = rule.channels
        data = rule.data
        allowed = rule.answer == nil ? nil : rule.from
        answer = rule.answer
    }

    /// The captures of the path if a request is one of those that this rule is for.
    package func match(_ head: borrowing RequestHead) -> PathPattern.Captures? {
        for pattern in requests where pattern.hasMethod(of: head) {
            if let captures = pattern.path.match(head[head.pathRange]) { return captures }
        }
        return nil
    }

    func accepts(_ status: Int) -> Bool { statuses.contains { $0.matches(status) } }

    /// Whether a client may send what this rule answers (SECURITY M7).
    package func lets(_ client: ClientAddress) -> Bool {
        guard let allowed else { return true }
        return client.isListed(in: allowed)
    }

    /// A template of it looks into the request's body.
    var readsContent: Bool { data == .request || references.contains { $0 == .form || $0 == .json } }
    /// It needs the response's body, which the app is therefore asked for without compression.
    package var readsResponseContent: Bool { data == .response || references.contains(.responseJSON) }

    private var references: [TemplateText.Source] {
        var templates = channels
        if case .template(let template) = data { templates.append(template) }
        return templates.flatMap(\.references).map(\.source)
    }
}

/// What a completed exchange comes to.
package struct RulePublication {
    package enum Item {
        case message(PublishItem)
        case signal(ChannelName)
    }

    package var items: [Item] = []
    /// Rules that matched and published nothing, because what they refer to was not there.
    package var skipped = 0

    package init() {}
}

extension RequestPattern {
    /// Whether a request is one of these.
    func isMet(by head: borrowing RequestHead) -> Bool {
        hasMethod(of: head) && path.match(head[head.pathRange]) != nil
    }

    /// Without methods, what is not safe (RFC 9110 §9.2.1).
    func hasMethod(of head: borrowing RequestHead) -> Bool {
        if methods.isEmpty { return !head.method.isSafe }
        for method in methods {
            let wanted = Array(method.utf8)
            if head[head.methodRange].equals(wanted.span) { return true }
        }
        return false
    }
}
