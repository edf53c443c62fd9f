/// How many connections and polls one client may have, and who counts as one.
import ByteText
package import ConfigFile
package import HTTP1

package struct ClientLimits: Sendable {
    /// With `auto`: what a browser's tabs come to, several times over.
    private static let usualPolls = 20

    /// nil: no limit.
    package let connections: Int?
    private let polls: Configuration.PollsPerClient
    private let template: TemplateText?

    package init(_ limits: Configuration.Limits) {
        connections = limits.connectionsPerClient
        polls = limits.pollsPerClient
        template = limits.client
    }

    /// Whom a connection counts for; nobody without a limit, and nobody for a proxy that is trusted: its connections
    /// are everybody's.
    package func connection(of peer: Peer, _ rules: borrowing ForwardingRules) -> ClientKey {
        guard connections != nil, !rules.trusts(peer.address) else { return .nobody }
        return ClientKey(peer.address)
    }

    /// Whom a poll counts for, and how many that client may have.
    package func poll(
        _ head: borrowing RequestHead, of client: ClientAddress, _ rules: borrowing ForwardingRules
    ) -> (key: ClientKey, limit: Int) {
        if case .unlimited = polls { return (.nobody, .max) }
        if let name = name(head, client) { return (ClientKey(named: name), limit) }
        if case .automatic = polls, Self.standsForMany(client, rules) { return (.nobody, .max) }
        return (ClientKey(client), limit)
    }

    private var limit: Int {
        switch polls {
        case .unlimited: .max
        case .automatic: Self.usualPolls
        case .count(let count): count
        }
    }

    /// What the template names, if the request has it.
    private func name(_ head: borrowing RequestHead, _ client: ClientAddress) -> [UInt8]? {
        guard let template else { return nil }
        do throws(TemplateError) {
            let source = TemplateSource(captures: .none, client: client)
            guard let name = try source.evaluate(template, head, limit: 1).first else { return nil }
            return name.isEmpty ? nil : name
        } catch {
            return nil
        }
    }

    /// Behind these addresses is a proxy that doesn't say for whom it asks, or a program that asks for many.
    private static func standsForMany(_ client: ClientAddress, _ rules: borrowing ForwardingRules) -> Bool {
        if rules.trusts(client) { return true }
        return switch client {
        case .unix: true
        case .network(let number): number.isLoopback
        }
    }
}
