/// The publish rules of a configuration, and which of them a request meets.
import ByteText
package import ConfigFile
package import HTTP1

package struct RuleTable: Sendable {
    private let rules: [PublishRule]

    package init(_ configuration: Configuration) { rules = configuration.publish.map(PublishRule.init) }

    /// The rules with their places in the configuration, from 1.
    var numbered: [(number: Int, rule: PublishRule)] { rules.enumerated().map { ($0.offset + 1, $0.element) } }

    /// A request that a rule answers in the place of the app.
    package enum Answered {
        case publish(RulePublication, status: Int)
        /// The rule doesn't let this client.
        case refused
    }

    /// What becomes of a request that a rule answers; nil: none does, and it is an ordinary one.
    ///
    /// A client that may not purge is refused, since no application knows the method; any other request of a client
    /// that the rule doesn't name is the application's.
    package func answered(_ head: borrowing RequestHead, client: ClientAddress) -> Answered? {
        for rule in rules {
            guard let status = rule.answer, let captures = rule.match(head) else { continue }
            if rule.lets(client) {
                let publication = PublishWatcher.answered(rule, captures: captures, head, client: client)
                return .publish(publication, status: status)
            }
            if head.method == .purge || head.method == .ban { return .refused }
        }
        return nil
    }

    /// Follows the exchange of a request that rules are for; nil: none is.
    package func watcher(_ head: borrowing RequestHead, client: ClientAddress) -> PublishWatcher? {
        guard !rules.isEmpty else { return nil }
        var matches: [(rule: PublishRule, captures: PathPattern.Captures)] = []
        for rule in rules where rule.answer == nil {
            if let captures = rule.match(head) { matches.append((rule, captures)) }
        }
        return matches.isEmpty ? nil : PublishWatcher(matches, head, client: client)
    }
}
