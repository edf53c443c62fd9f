/// What a configuration makes of one request, in words: the route that takes it, the channels that come out, the
/// publish rules that are for it. For `pollhold check --explain`; nothing is sent and nothing is published.
import ByteText
package import ConfigFile
package import HTTP1
import Polling

package struct Explanation {
    private let routes: RouteTable
    private let rules: RuleTable
    private let configuration: Configuration

    package init(_ configuration: Configuration) {
        self.configuration = configuration
        routes = RouteTable(configuration, epoch: Epoch(random: 0))
        rules = RuleTable(configuration)
    }

    /// - Parameters:
    ///   - client: who asks.
    ///   - content: the request's body.
    package func lines(_ head: borrowing RequestHead, client: ClientAddress, content: [UInt8]) -> [String] {
        if let line = answeredByRule(head, client) { return [line] }
        var lines = [placeLine(head)]
        switch decision(head, client, content) {
        case .poll(let request):
            lines.append("  a poll on \(Self.text(request.channels)), held for up to \(Self.text(request.style.route))")
        case .content: lines.append("  a poll whose channels stand in its body")
        case .recheck(let route, let captures):
            lines.append(recheckLine(route, captures, head, client, content))
        case .authorize(_, let rule, _):
            lines.append("  the application is asked first: \(String(decoding: rule.path, as: UTF8.self))")
        case .answer(let answer):
            let parameter = answer.parameter.map { " (\($0))" } ?? ""
            lines.append("  answered with \(answer.status)\(parameter): \(answer.reason)")
            return lines
        case .proxy:
            let servers = configuration.upstream.servers.map { "\($0.address)" }
            lines.append("  passed on to \(servers.joined(separator: ", "))")
        }
        return lines + ruleLines(head, client, content)
    }

    private func decision(
        _ head: borrowing RequestHead, _ client: ClientAddress, _ content: [UInt8]
    ) -> Decision {
        let decision = routes.decide(head, client: client)
        guard case .content(let hold, let captures) = decision, !content.isEmpty else { return decision }
        return routes.decide(head, on: hold, captures: captures, client: client, content: content)
    }

    private func placeLine(_ head: borrowing RequestHead) -> String {
        for (index, route) in configuration.routes.enumerated() where route.path.match(head[head.pathRange]) != nil {
            return "route \(index + 1), \(route.path): \(route.kind.word)"
        }
        return "no route"
    }

    private func recheckLine(
        _ route: RecheckRoute, _ captures: PathPattern.Captures, _ head: borrowing RequestHead,
        _ client: ClientAddress, _ content: [UInt8]
    ) -> String {
        guard let request = route.read(head, captures: captures, client: client, body: content) else {
            return "  passed on: its channels can't be made of this request"
        }
        let seconds = DurationText(route.timeout)
        return "  the application is asked, and asked again at \(Self.text(request.channels)), for up to \(seconds)"
    }

    // MARK: Rules

    private func answeredByRule(_ head: borrowing RequestHead, _ client: ClientAddress) -> String? {
        switch rules.answered(head, client: client) {
        case .publish(let publication, let status):
            "a publish rule answers it with \(status) and publishes to \(Self.text(publication.items.map(\.channel)))"
        case .refused: "a publish rule is for it, and does not let this client: answered with 403"
        case nil: nil
        }
    }

    private func ruleLines(_ head: borrowing RequestHead, _ client: ClientAddress, _ content: [UInt8]) -> [String] {
        var lines: [String] = []
        for (number, rule) in rules.numbered {
            guard rule.answer == nil, let captures = rule.match(head) else { continue }
            var source = TemplateSource(captures: captures, client: client)
            if !content.isEmpty { source.content = CapturedContent(content, of: head.fields) }
            lines.append("publish rule \(number): \(Self.text(rule, head, source))")
        }
        return lines
    }

    /// What a rule will do when the app has answered.
    private static func text(
        _ rule: PublishRule, _ head: borrowing RequestHead, _ source: TemplateSource
    ) -> String {
        let ofResponse = rule.channels.flatMap(\.references).filter {
            $0.source == .responseHeader || $0.source == .responseJSON
        }
        guard ofResponse.isEmpty else {
            return
                "publishes, to what the response says in \(ofResponse.map { "{\($0.text)}" }.joined(separator: ", "))"
        }
        do throws(TemplateError) {
            var names: [String] = []
            for template in rule.channels {
                for text in try source.evaluate(template, head, limit: PublishRule.channelsLimit) {
                    guard let name = ChannelName(orNil: text.span) else {
                        return "does nothing: \"\(printable(text))\" is no name of a channel"
                    }
                    names.append(printable(name.bytes))
                }
            }
            return "publishes to \(names.joined(separator: ", ")) when the application has answered"
        } catch {
            switch error {
            case .missing(let reference): return "does nothing: {\(reference.text)} is not there"
            case .badEncoding(let reference): return "does nothing: {\(reference.text)} is not encoded rightly"
            }
        }
    }

    // MARK: Words

    private static func text(_ channels: [ChannelName]) -> String {
        channels.map { printable($0.bytes) }.joined(separator: ", ")
    }

    private static func text(_ route: HoldRoute) -> String { "\(DurationText(route.timeout))" }

    private static func printable(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.map { (0x20..<0x7F).contains($0) ? $0 : 0x3F }, as: UTF8.self)
    }
}

extension RulePublication.Item {
    /// Where it goes.
    fileprivate var channel: ChannelName {
        switch self {
        case .message(let item): item.channel
        case .signal(let channel): channel
        }
    }
}

extension Configuration.Route.Kind {
    /// As the configuration calls it.
    fileprivate var word: String {
        switch self {
        case .hold: "hold"
        case .recheck: "recheck"
        case .proxy: "proxy"
        }
    }
}
