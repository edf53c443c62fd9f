/// A hold route of the configuration, ready for use: it reads polls and says who may ask for which channel.
///
/// A class, because every held poll refers to its route, and a reload must be able to tell old from new.
import ByteText
package import ConfigFile
package import Polling

package final class HoldRoute: Sendable {
    package enum Format: Sendable {
        case json
        case array
        case raw
        /// JSON in a call of the function that the client names.
        case jsonp
        case template(AnswerTemplate)

        init(_ hold: Configuration.Hold) {
            if let template = hold.template {
                self = .template(template)
                return
            }
            switch hold.format {
            case .json: self = .json
            case .array: self = .array
            case .raw: self = .raw
            case .jsonp: self = .jsonp
            }
        }

        /// The body says where the client is; else a field of the head does.
        var carriesCursor: Bool {
            switch self {
            case .json, .jsonp: true
            case .array, .raw: false
            case .template(let template): template.answer.references.contains { $0.source == .answerCursor }
            }
        }

        /// The body says that messages are missing; else a field of the head does.
        var tellsGap: Bool {
            switch self {
            case .json, .jsonp: true
            case .array, .raw: false
            case .template(let template): template.answer.references.contains { $0.source == .answerGap }
            }
        }

        var isRaw: Bool { if case .raw = self { true } else { false } }
    }

    /// The answer of a hold that ended without a message, where the configuration gives it a shape of its own.
    package struct EmptyAnswer: Equatable, Sendable {
        package var status: Int?
        package var fields: [Field]
        package var body: [UInt8]?

        package struct Field: Equatable, Sendable {
            package let name: [UInt8]
            package let value: [UInt8]
        }

        init(_ empty: Configuration.Empty) {
            status = empty.status
            fields = empty.headers.map { Field(name: Array($0.name.utf8), value: Array($0.value.utf8)) }
            body = empty.body.map { Array($0.utf8) }
        }
    }

    package let path: String
    package let channels: [TemplateText]
    /// The query parameter that names the channels, where the template is just that.
    let channelParameter: [UInt8]?
    /// What a client may ask for; nil: the template leaves no choice, or the poll is a trusted one.
    package let allow: [ChannelPattern]?
    package let authorize: AuthorizeRule?
    package let timeout: Duration
    package let startsNow: Bool
    package let limit: BatchLimit
    package let format: Format
    package let empty: EmptyAnswer?
    package let crossOrigin: CrossOrigin
    package let channelsLimit: Int
    package let afterParameter: [UInt8]
    /// The cookie in which the client's browser keeps the cursor; nil: none does.
    package let cursorCookie: [UInt8]?
    /// Each message is handed out once; the client has no cursor.
    package let takes: Bool
    package let callbackParameter: [UInt8]
    /// Polls may be POST requests.
    package let holdsPosts: Bool
    package let supersede: TemplateText?

    package init(
        path: String, channels: [TemplateText], allow: [ChannelPattern]?, timeout: Duration, startsNow: Bool,
        limit: BatchLimit, format: Format, empty: EmptyAnswer?, crossOrigin: CrossOrigin, channelsLimit: Int,
        afterParameter: [UInt8], cursor: Configuration.Hold.CursorKeeping = .client,
        callbackParameter: [UInt8] = [], authorize: AuthorizeRule? = nil, holdsPosts: Bool = false,
        supersede: TemplateText? = nil
    ) {
        self.authorize = authorize
        self.path = path
        self.channels = channels
        channelParameter = Self.queryParameter(of: channels)
        self.allow = allow
        self.timeout = timeout
        self.startsNow = startsNow
        // A raw answer is one message, whatever the batch.
        self.limit = format.isRaw ? BatchLimit(messages: 1, bytes: limit.bytes) : limit
        self.format = format
        self.empty = empty
        self.crossOrigin = crossOrigin
        self.channelsLimit = channelsLimit
        self.afterParameter = afterParameter
        takes = cursor == .taking
        if case .cookie(let name) = cursor { cursorCookie = Array(name.utf8) } else { cursorCookie = nil }
        self.callbackParameter = callbackParameter
        self.holdsPosts = holdsPosts
        self.supersede = supersede
    }

    /// - Parameter hold: of the configuration.
    package convenience init(_ hold: Configuration.Hold, path: String, proxy: ProxyRoute? = nil) {
        let empty = hold.empty.map(EmptyAnswer.init)
        let crossOrigin = hold.crossOrigin.map {
            CrossOrigin(origins: $0.origins, credentials: $0.credentials, preflight: $0.maxAge)
        }
        self.init(
            path: path, channels: hold.channels, allow: hold.allow, timeout: hold.timeout, startsNow: hold.startsNow,
            limit: BatchLimit(messages: hold.batchMessages, bytes: hold.batchBytes), format: Format(hold),
            empty: empty,
            crossOrigin: crossOrigin ?? .none, channelsLimit: hold.channelsLimit,
            afterParameter: Array(hold.afterParameter.utf8), cursor: hold.cursor,
            callbackParameter: Array(hold.callbackParameter.utf8),
            authorize: hold.authorize.flatMap { rule in proxy.flatMap { AuthorizeRule(rule, proxy: $0) } },
            holdsPosts: hold.holdsPosts, supersede: hold.supersede)
    }

    /// The poll on the control socket: any channel, by the defaults of a hold route.
    package static let trusted = HoldRoute(
        path: "/poll", channels: [TemplateText(.query, "channel")], allow: nil, timeout: .seconds(90), startsNow: false,
        limit: BatchLimit(messages: 100, bytes: 1 << 20), format: .json, empty: nil, crossOrigin: .none,
        channelsLimit: 1000,
        afterParameter: Array("after".utf8))

    private static func queryParameter(of channels: [TemplateText]) -> [UInt8]? {
        guard channels.count == 1, channels[0].parts.count == 1, case .reference(let reference) = channels[0].parts[0],
            reference.source == .query
        else { return nil }
        return Array(reference.name.utf8)
    }

    /// Whether this name may be read on this route (SECURITY M2).
    package func allows(_ channel: ChannelName) -> Bool {
        guard let allow else { return true }
        return allow.contains { $0.matches(channel.bytes.span) }
    }
}

/// What a request on a route comes to.
package enum Decision {
    case poll(PollRequest)
    /// A poll whose channels may stand in its body, which is to be read whole, and then `HoldRoute.decide` again.
    case content(HoldRoute, PathPattern.Captures)
    /// A poll for the app's own endpoint.
    case recheck(RecheckRoute, PathPattern.Captures)
    /// A poll that the app has to allow first.
    case authorize(HoldRoute, AuthorizeRule, PathPattern.Captures)
    case answer(PlainAnswer)
    case proxy(ProxyRoute)
}

/// A poll as it was read from its request.
package struct PollRequest {
    package let channels: [ChannelName]
    package let position: Position
    package var style: AnswerStyle
    /// False for HEAD, which is answered at once.
    package let mayHold: Bool
    /// A later poll with the same key takes this one's place.
    package let supersedeKey: [UInt8]?

    package init(
        channels: [ChannelName], position: Position, style: AnswerStyle, mayHold: Bool, supersedeKey: [UInt8]? = nil
    ) {
        self.supersedeKey = supersedeKey
        self.channels = channels
        self.position = position
        self.style = style
        self.mayHold = mayHold
    }
}
