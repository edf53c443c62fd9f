/// Follows one exchange with the app for the publish rules that match it, and says at its end what is to be published.
///
/// The laws:
///  1. *It fires once, when the app's response is complete*, so behind the app's commit; a response that was cut, or a
///     request that was not read to its end, publishes nothing (SECURITY M6).
///  2. *It never delays.* Bytes are copied as they pass, up to a bound; a body that is longer makes only those rules do
///     nothing that look into it.
///  3. *It uses the matched request alone*: its head is kept as it was, and templates see nothing else.
import ByteText
import ConfigFile
package import HTTP1
import Polling

package struct PublishWatcher {
    /// A body as far as it was seen.
    private struct Capture {
        var bytes: [UInt8] = []
        let isWanted: Bool
        var isTooLong = false
        var isComplete = false

        mutating func append(_ content: Span<UInt8>) {
            guard isWanted, !isTooLong else { return }
            guard bytes.count + content.count <= CapturedContent.bytesLimit else {
                isTooLong = true
                bytes = []
                return
            }
            bytes.append(content)
        }

        /// The body; nil if it was not wanted, is too long or is not whole.
        func content(of fields: borrowing FieldLines) -> CapturedContent? {
            isWanted && isComplete && !isTooLong ? CapturedContent(bytes, of: fields) : nil
        }
    }

    private let matches: [(rule: PublishRule, captures: PathPattern.Captures)]
    private let client: ClientAddress
    private let head: RequestHead
    private var request: Capture
    private var response: Capture
    private var responseHead: ResponseHead?
    /// Channels that the app itself named in a field of its response.
    private var named: [NamedChannel] = []

    private struct NamedChannel {
        let name: [UInt8]
        let carriesResponse: Bool
    }

    /// - Parameter rules: those that match the request, each with what its path captured.
    init(
        _ rules: [(rule: PublishRule, captures: PathPattern.Captures)], _ head: borrowing RequestHead,
        client: ClientAddress
    ) {
        matches = rules
        self.client = client
        self.head = copy head
        request = Capture(isWanted: rules.contains { $0.rule.readsContent }, isComplete: head.framing == .none)
        response = Capture(isWanted: rules.contains { $0.rule.readsResponseContent })
    }

    /// For a response that names channels while no rule matched its request; nil if it names none.
    package init?(_ responseHead: borrowing ResponseHead) {
        let named = Self.named(in: responseHead)
        guard !named.isEmpty else { return nil }
        matches = []
        // No rule asks whose request it was.
        client = .unix
        head = RequestHead()
        request = Capture(isWanted: false, isComplete: true)
        response = Capture(isWanted: named.contains(where: \.carriesResponse))
        self.named = named
        self.responseHead = copy responseHead
    }

    /// A rule looks into the response's body, so the app is to be asked for it without compression.
    package var readsResponseContent: Bool { response.isWanted }

    /// Rules are for it, and the app will get the request whole.
    package var hasRequest: Bool { !matches.isEmpty && request.isComplete }

    // MARK: Events of the exchange, in order

    package mutating func requestContent(_ bytes: Span<UInt8>) { request.append(bytes) }

    package mutating func requestEnded() { request.isComplete = true }

    /// A final response's head.
    package mutating func response(_ head: borrowing ResponseHead) {
        guard responseHead == nil else { return }
        responseHead = copy head
        named = Self.named(in: head)
        if named.contains(where: \.carriesResponse), !response.isWanted { response = Capture(isWanted: true) }
    }

    package mutating func responseContent(_ bytes: Span<UInt8>) { response.append(bytes) }

    /// The response is complete.
    package mutating func responseEnded() -> RulePublication {
        var publication = RulePublication()
        guard let responseHead, request.isComplete else { return publication }
        response.isComplete = true
        var source = TemplateSource(captures: .none, client: client)
        source.content = request.content(of: head.fields)
        source.response = responseHead
        if !Self.isEncoded(responseHead) { source.responseContent = response.content(of: responseHead.fields) }
        for (rule, captures) in matches where rule.accepts(responseHead.status) && rule.answer == nil {
            var own = TemplateSource(captures: captures, client: client)
            own.content = source.content
            own.response = source.response
            own.responseContent = source.responseContent
            publication.add(rule, head, own)
        }
        for channel in named { publication.add(channel.name, carrying: channel.carriesResponse, source) }
        return publication
    }

    /// What a rule publishes that Pollhold answers itself: there is no response to wait for.
    static func answered(
        _ rule: PublishRule, captures: PathPattern.Captures, _ head: borrowing RequestHead, client: ClientAddress
    ) -> RulePublication {
        var publication = RulePublication()
        publication.add(rule, head, TemplateSource(captures: captures, client: client))
        return publication
    }

    // MARK: Inside

    /// A body in another coding is not what it stands for.
    private static func isEncoded(_ head: borrowing ResponseHead) -> Bool {
        guard let line = head.fields.first(of: .contentEncoding) else { return false }
        return !head.fields.value(of: line).equalsIgnoringCase("identity")
    }

    /// `Pollhold-Publish: CHANNEL, CHANNEL; data=response`
    private static func named(in head: borrowing ResponseHead) -> [NamedChannel] {
        var named: [NamedChannel] = []
        var start = 0
        while let index = head.fields.index(of: "pollhold-publish", from: start) {
            start = index + 1
            let value = head.fields.value(of: head.fields.lines[index]).array
            for item in value.split(separator: 0x2C) where named.count < PublishRule.channelsLimit {
                let parts = item.split(separator: 0x3B).map { part in Array(part.filter { $0 != 0x20 && $0 != 0x09 }) }
                guard let name = parts.first, !name.isEmpty else { continue }
                let carries = parts.dropFirst().contains { $0.span.equalsIgnoringCase("data=response") }
                named.append(NamedChannel(name: name, carriesResponse: carries))
            }
        }
        return named
    }
}

extension RulePublication {
    /// Adds what a rule makes of an exchange, or counts that it makes nothing.
    fileprivate mutating func add(_ rule: PublishRule, _ head: borrowing RequestHead, _ source: TemplateSource) {
        guard let names = Self.channels(of: rule, head, source) else {
            skipped += 1
            return
        }
        switch rule.data {
        case .none: for name in names { items.append(.signal(name)) }
        case .request: add(names, source.content)
        case .response: add(names, source.responseContent)
        case .template(let template):
            guard let (payload, isJSON) = DataTemplate(template: template).evaluate(head, source) else {
                skipped += 1
                return
            }
            let kind: Message.Kind = isJSON ? .json : payload.span.isUTF8 ? .text : .binary
            for name in names {
                items.append(.message(PublishItem(channel: name, payload: payload, kind: kind)))
            }
        }
    }

    /// A channel that the app named itself.
    fileprivate mutating func add(_ name: [UInt8], carrying: Bool, _ source: TemplateSource) {
        guard let channel = ChannelName(orNil: name.span) else {
            skipped += 1
            return
        }
        if carrying { add([channel], source.responseContent) } else { items.append(.signal(channel)) }
    }

    private mutating func add(_ names: [ChannelName], _ content: CapturedContent?) {
        guard let content else {
            skipped += 1
            return
        }
        let (payload, kind, contentType) = content.published()
        for name in names {
            items.append(
                .message(PublishItem(channel: name, payload: payload, kind: kind, contentType: contentType)))
        }
    }

    /// The rule's channels, each once; nil if one can't be made.
    private static func channels(
        of rule: PublishRule, _ head: borrowing RequestHead, _ source: TemplateSource
    ) -> [ChannelName]? {
        var names: [ChannelName] = []
        for template in rule.channels {
            let texts: [[UInt8]]
            do throws(TemplateError) {
                texts = try source.evaluate(template, head, limit: PublishRule.channelsLimit)
            } catch {
                return nil
            }
            for text in texts {
                guard let name = ChannelName(orNil: text.span) else { return nil }
                if !names.contains(name) { names.append(name) }
            }
        }
        return names.count <= PublishRule.channelsLimit ? names : nil
    }
}
