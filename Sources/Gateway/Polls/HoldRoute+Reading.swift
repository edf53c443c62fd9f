/// Reading a poll: method, origin, channels from the template, what is allowed, the position.
import ByteText
import ConfigFile
package import HTTP1
import Polling

extension HoldRoute {
    /// - Parameters:
    ///   - captures: what the path pattern captured.
    ///   - content: the body, once it has been read.
    ///   - granted: fields of the answer by which the app let the client in; nil: it has not been asked.
    func decide(
        _ head: borrowing RequestHead, captures: PathPattern.Captures, client: ClientAddress, epoch: Epoch,
        content: [UInt8]? = nil, granted: [GrantedField]? = nil
    ) -> Decision {
        let origin = crossOrigin.allowed(head)
        switch head.method {
        case .get, .head: break
        case .options: return .answer(options(origin))
        case .post where holdsPosts:
            guard content != nil || head.framing == .none else { return decideOnContent(head, captures, origin) }
        default:
            var answer = refusal(405, holdsPosts ? "A poll is GET or POST." : "A poll is a GET request.", origin)
            answer.allow = methods
            answer.closes = head.framing != .none
            return .answer(answer)
        }
        guard head.framing == .none || content != nil else {
            var answer = refusal(400, "A poll has no body.", origin)
            answer.closes = true
            return .answer(answer)
        }
        if let authorize, granted == nil { return .authorize(self, authorize, captures) }
        var source = TemplateSource(captures: captures, client: client)
        source.authorization = granted ?? []
        if let content, !content.isEmpty { source.content = CapturedContent(content, of: head.fields) }
        return read(head, source, origin, epoch)
    }

    /// A body whose length is told is refused before it is read.
    private func decideOnContent(
        _ head: borrowing RequestHead, _ captures: PathPattern.Captures, _ origin: AllowedOrigin
    ) -> Decision {
        if case .length(let length) = head.framing, length > UInt64(CapturedContent.bytesLimit) {
            return .answer(contentTooLong(origin))
        }
        return .content(self, captures)
    }

    /// For a poll whose body turns out to be longer than is looked into.
    package func contentTooLong(_ head: borrowing RequestHead) -> PlainAnswer {
        contentTooLong(crossOrigin.allowed(head))
    }

    private func contentTooLong(_ origin: AllowedOrigin) -> PlainAnswer {
        var answer = refusal(413, "A poll's body has 64 KiB at most.", origin)
        answer.closes = true
        return answer
    }

    private var methods: StaticString { holdsPosts ? "GET, HEAD, OPTIONS, POST" : "GET, HEAD, OPTIONS" }

    private func read(
        _ head: borrowing RequestHead, _ source: TemplateSource, _ origin: AllowedOrigin, _ epoch: Epoch
    ) -> Decision {
        do throws(PollError) {
            let names = try channelNames(head, source)
            let position = try position(head, source, epoch)
            let style = AnswerStyle(
                route: self, manner: RequestManner(head), origin: origin, callback: try callback(head))
            return .poll(
                PollRequest(
                    channels: names, position: position, style: style, mayHold: head.method != .head,
                    supersedeKey: supersedeKey(head, source)))
        } catch {
            var answer = refusal(error.status, error.reason, origin)
            answer.parameter = error.parameter
            return .answer(answer)
        }
    }

    private func options(_ origin: AllowedOrigin) -> PlainAnswer {
        var answer = refusal(204, "", origin)
        answer.allow = methods
        answer.isPreflight = true
        return answer
    }

    private func refusal(_ status: Int, _ reason: String, _ origin: AllowedOrigin) -> PlainAnswer {
        var answer = PlainAnswer(status: status, reason: reason)
        answer.isJSON = true
        answer.crossOrigin = (crossOrigin, origin)
        return answer
    }

    // MARK: Channels

    private func channelNames(
        _ head: borrowing RequestHead, _ source: TemplateSource
    ) throws(PollError) -> [ChannelName] {
        if let name = channelInPlace(head), allows(name) { return [name] }
        var names: [ChannelName] = []
        for template in channels {
            for text in try texts(of: template, head, source) {
                let name: ChannelName
                do throws(ChannelNameError) {
                    name = try ChannelName(keeping: text)
                } catch {
                    throw .badChannel(error, parameter: template.firstReferenceName)
                }
                guard allows(name) else { throw .notAllowed(parameter: template.firstReferenceName) }
                // A name that is asked for twice is one channel.
                if !names.contains(name) { names.append(name) }
                guard names.count <= channelsLimit else {
                    throw .tooManyChannels(limit: channelsLimit, parameter: template.firstReferenceName)
                }
            }
        }
        return names
    }

    /// The channel that nearly every poll names: one, in the query, with no byte encoded, for a name has none that
    /// needs it. Nil: it is to be read with care.
    private func channelInPlace(_ head: borrowing RequestHead) -> ChannelName? {
        guard let channelParameter, let query = head.queryRange else { return nil }
        var items = QueryItems(head[query])
        guard let item = items.next(named: channelParameter.span), items.next(named: channelParameter.span) == nil
        else { return nil }
        return ChannelName(orNil: items.text.extracting(item.value))
    }

    private func texts(
        of template: TemplateText, _ head: borrowing RequestHead, _ source: TemplateSource
    ) throws(PollError) -> [[UInt8]] {
        do throws(TemplateError) {
            return try source.evaluate(template, head, limit: channelsLimit)
        } catch {
            throw PollError(error)
        }
    }

    // MARK: Position

    private func position(
        _ head: borrowing RequestHead, _ source: TemplateSource, _ epoch: Epoch
    ) throws(PollError) -> Position {
        if let position = positionInPlace(head, epoch) { return position }
        // An empty value is what a page sends that has no cursor yet.
        let error = PollError.badCursor(parameter: afterParameter)
        var said = try parameter(afterParameter, head, else: error)
        if said == nil { said = try Self.parameter(afterParameter, source, else: error) }
        guard let value = said,
            !value.isEmpty
        else {
            return positionOfCookie(head, epoch) ?? (startsNow ? .now : .oldest)
        }
        if value.span.equals("now") { return .now }
        guard let position = Position(cursor: value.span, epoch: epoch) else {
            throw .badCursor(parameter: afterParameter)
        }
        return position
    }

    /// The cursor that nearly every poll has: once, in the query, with no byte encoded, for a cursor has none that
    /// needs it. Nil: it is to be read with care.
    private func positionInPlace(_ head: borrowing RequestHead, _ epoch: Epoch) -> Position? {
        guard let query = head.queryRange else { return nil }
        let afterParameter = afterParameter
        var items = QueryItems(head[query])
        guard let item = items.next(named: afterParameter.span), items.next(named: afterParameter.span) == nil else {
            return nil
        }
        return Position(cursor: items.text.extracting(item.value), epoch: epoch)
    }
}

extension HoldRoute {
    /// A query parameter that may be there once; else it is this error.
    private func parameter(
        _ name: [UInt8], _ head: borrowing RequestHead, else error: PollError
    ) throws(PollError) -> [UInt8]? {
        guard let query = head.queryRange else { return nil }
        guard let values = QueryItems.values(head[query], named: name.span), values.count <= 1 else { throw error }
        return values.first
    }

    /// The same in a body.
    private static func parameter(
        _ name: [UInt8], _ source: TemplateSource, else error: PollError
    ) throws(PollError) -> [UInt8]? {
        guard let content = source.content else { return nil }
        let text = String(decoding: name, as: UTF8.self)
        guard let values = content.formValues(text), values.count <= 1 else { throw error }
        return values.first ?? content.jsonValues("/\(text)").first
    }

    /// What polls that take each other's place have in common; nil where it is not there.
    private func supersedeKey(_ head: borrowing RequestHead, _ source: TemplateSource) -> [UInt8]? {
        guard let supersede else { return nil }
        do throws(TemplateError) {
            guard let text = try source.evaluate(supersede, head, limit: 1).first else { return nil }
            return Array(path.utf8) + [0] + text
        } catch {
            return nil
        }
    }

    /// A cookie that is no cursor is one that somebody else set; the page can't help it, so it counts as none.
    private func positionOfCookie(_ head: borrowing RequestHead, _ epoch: Epoch) -> Position? {
        guard let cursorCookie, let range = head.fields.cookie(named: cursorCookie.span) else { return nil }
        return Position(cursor: head[range], epoch: epoch)
    }

    /// The function that a JSONP answer is to call: a name that can't be anything but one (SECURITY M5).
    private func callback(_ head: borrowing RequestHead) throws(PollError) -> [UInt8]? {
        guard case .jsonp = format else { return nil }
        let error = PollError.badCallback(parameter: callbackParameter)
        guard let name = try parameter(callbackParameter, head, else: error), (1...64).contains(name.count),
            name.allSatisfy(Self.isCallbackByte)
        else { throw error }
        return name
    }

    private static func isCallbackByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x24, 0x2E, 0x5F: true
        default: false
        }
    }
}

/// Why a poll is refused; the client is told which of its parameters is to blame, never what stood in it.
enum PollError: Error {
    case missing(parameter: String)
    case badEncoding(parameter: String)
    case badChannel(ChannelNameError, parameter: String)
    case notAllowed(parameter: String)
    case tooManyChannels(limit: Int, parameter: String)
    case badCursor(parameter: [UInt8])
    case badCallback(parameter: [UInt8])

    init(_ error: TemplateError) {
        switch error {
        case .missing(let reference): self = .missing(parameter: reference.name)
        case .badEncoding(let reference): self = .badEncoding(parameter: reference.name)
        }
    }

    var status: Int {
        if case .notAllowed = self { 403 } else { 400 }
    }

    var reason: String {
        switch self {
        case .missing: "The poll names no channel."
        case .badEncoding: "The percent-encoding is broken."
        case .badChannel(let error, _): "The channel name is not valid: \(error)."
        case .notAllowed: "This channel may not be read here."
        case .tooManyChannels(let limit, _): "A poll may name \(limit) channels at most."
        case .badCursor: "This is no cursor."
        case .badCallback: "The name of a function is missing, or is none."
        }
    }

    var parameter: String? {
        switch self {
        case .missing(let parameter), .badEncoding(let parameter), .badChannel(_, let parameter),
            .notAllowed(let parameter), .tooManyChannels(_, let parameter):
            parameter
        case .badCursor(let parameter), .badCallback(let parameter): String(decoding: parameter, as: UTF8.self)
        }
    }
}
