/// A recheck route of the configuration, ready for use (DESIGN §3): it reads polls and recognises "nothing new".
///
/// A class, because every held poll refers to its route.
import ByteText
package import ConfigFile
package import HTTP1
package import Polling

package final class RecheckRoute: Sendable {
    /// Channels of one poll at most.
    private static let channelsLimit = 32

    package let path: String
    let channels: [TemplateText]
    package let nothingNew: NothingNew
    package let timeout: Duration
    private let holdsPosts: Bool
    package let concurrency: Int
    package let queueLimit: Int
    private let share: [Configuration.Recheck.ShareKey]?
    package let debounce: Duration
    package let debouncePolls: Int
    package let passEvery: Duration?
    private let supersede: TemplateText?
    private let ignored: [[UInt8]]
    package let answerBytesLimit: Int
    /// Its polls are passed on, and it is counted what would have become of them.
    package let observes: Bool
    package let empty: HoldRoute.EmptyAnswer?
    /// How its requests are passed on.
    package let proxy: ProxyRoute

    package init(_ recheck: Configuration.Recheck, path: String, upstream: Configuration.Upstream) {
        self.path = path
        channels = recheck.channels
        nothingNew = NothingNew(recheck.nothingNew)
        timeout = recheck.timeout
        holdsPosts = recheck.holdsPosts
        concurrency = recheck.concurrency
        queueLimit = recheck.queue
        share = recheck.share
        debounce = recheck.debounce
        debouncePolls = recheck.debouncePolls
        passEvery = recheck.passEvery
        supersede = recheck.supersede
        ignored = recheck.ignore.map { Array($0.utf8) }
        answerBytesLimit = recheck.answerBytes
        observes = recheck.observe
        empty = recheck.empty.map(HoldRoute.EmptyAnswer.init)
        proxy = ProxyRoute(recheck.proxy, upstream)
    }

    /// How long it counts that the app had nothing new: then it is asked again, whatever was signalled (DESIGN §3.4).
    package var knowledgeLifetime: Duration { min(timeout, passEvery ?? timeout) }

    /// Whether a request is a poll of this route as far as its head tells. Others are passed on.
    package func takes(_ head: borrowing RequestHead) -> Bool {
        switch head.method {
        case .get, .head: head.framing == .none && head.upgradeRange == nil
        case .post: holdsPosts && !head.expectsContinue && isBounded(head.framing)
        default: false
        }
    }

    private func isBounded(_ framing: BodyFraming) -> Bool {
        // Chunks may turn out to be too many; then the request is passed on from there.
        if case .length(let length) = framing { return length <= UInt64(CapturedContent.bytesLimit) }
        return true
    }

    /// Reads a poll.
    ///
    /// - Parameter body: the request's whole body.
    /// - Returns: nil if its channels can't be made: then the request is passed on, for the application may well
    ///   answer what a rule of ours finds wanting.
    package func read(
        _ head: borrowing RequestHead, captures: PathPattern.Captures, client: ClientAddress, body: [UInt8]
    ) -> RecheckRequest? {
        var source = TemplateSource(captures: captures, client: client)
        if !body.isEmpty { source.content = CapturedContent(body, of: head.fields) }
        guard let names = channelNames(head, source), !names.isEmpty else { return nil }
        return RecheckRequest(
            route: self, channels: names,
            identity: RequestIdentity(head, client: client, body: body, ignoring: ignored),
            shareKey: shareKey(head, body), supersedeKey: supersedeKey(head, source),
            manner: RequestManner(head), cookies: Self.cookies(head))
    }

    private static func cookies(_ head: borrowing RequestHead) -> [UInt8] {
        var cookies: [UInt8] = []
        for line in head.fields.lines where line.name == .cookie {
            if !cookies.isEmpty { cookies.append("; ") }
            cookies.append(head.fields.value(of: line))
        }
        return cookies
    }

    private func channelNames(_ head: borrowing RequestHead, _ source: TemplateSource) -> [ChannelName]? {
        var names: [ChannelName] = []
        for template in channels {
            do throws(TemplateError) {
                for text in try source.evaluate(template, head, limit: Self.channelsLimit) {
                    guard let name = ChannelName(orNil: text.span) else { return nil }
                    if !names.contains(name) { names.append(name) }
                }
            } catch {
                return nil
            }
        }
        return names.count <= Self.channelsLimit ? names : nil
    }

    private func supersedeKey(_ head: borrowing RequestHead, _ source: TemplateSource) -> [UInt8]? {
        guard let supersede else { return nil }
        do throws(TemplateError) {
            guard let text = try source.evaluate(supersede, head, limit: 1).first else { return nil }
            return Array(path.utf8) + [0] + text
        } catch {
            return nil
        }
    }

    /// What makes this request's question another's; nil: it shares with none. Who sends credentials in a field of
    /// their own never shares (SECURITY M3).
    private func shareKey(_ head: borrowing RequestHead, _ body: [UInt8]) -> [UInt8]? {
        guard let share, !head.fields.has(.authorization), body.isEmpty else { return nil }
        var key = head[head.methodRange].array
        for part in share {
            key.append(0)
            switch part {
            case .path:
                key.append(head[head.hostRange])
                key.append(head[head.pathRange])
            case .query: if let query = head.queryRange { key.append(head[query]) }
            case .cookie(let name):
                let wanted = Array(name.utf8)
                if let range = head.fields.cookie(named: wanted.span) { key.append(head[range]) }
            case .header(let name):
                let wanted = Array(name.utf8)
                var start = 0
                while let index = head.fields.index(of: wanted.span, from: start) {
                    key.append(head.fields.value(of: head.fields.lines[index]))
                    key.append(1)
                    start = index + 1
                }
            }
        }
        return key
    }

    /// Whether an answer may be given to all who share its question (SECURITY M3).
    package func mayShare(_ head: borrowing ResponseHead) -> Bool {
        guard let share, !head.fields.has(.setCookie) else { return false }
        for line in head.fields.lines where line.name == .cacheControl {
            if ListItems.contains(head.fields.value(of: line), "private") { return false }
        }
        for line in head.fields.lines where line.name == .vary {
            let varies = head.fields.value(of: line).array.split { $0 == 0x2C || $0 == 0x20 || $0 == 0x09 }
            for name in varies {
                let lower = String(decoding: name.map(\.asciiLowercased), as: UTF8.self)
                // The question never has the client's own: it is asked without compression.
                if lower == "accept-encoding" || share.contains(.header(lower)) { continue }
                return false
            }
        }
        return true
    }
}

/// A poll of a recheck route as it was read from its request.
package struct RecheckRequest: Sendable {
    package let route: RecheckRoute
    package let channels: [ChannelName]
    package let identity: RequestIdentity
    package let shareKey: [UInt8]?
    package let supersedeKey: [UInt8]?
    package let manner: RequestManner
    /// What the client sends as Cookie.
    package let cookies: [UInt8]
    /// The digest of the last answer on the client's connection, where the route compares with it.
    package var lastAnswer: RequestIdentity.BodyDigest?

    /// Of a request that is not held but passed on.
    package init(passing route: RecheckRoute, _ head: borrowing RequestHead) {
        self.init(
            route: route, channels: [], identity: RequestIdentity([]), shareKey: nil, supersedeKey: nil,
            manner: RequestManner(head), cookies: [])
    }

    /// Of a poll that another process has held.
    ///
    /// - Parameter serial: no other poll of this process has it.
    package init(_ handed: HandedRecheck, on route: RecheckRoute, serial: UInt64) {
        self.init(
            route: route, channels: handed.poll.channels, identity: RequestIdentity(adopted: serial),
            shareKey: handed.shareKey, supersedeKey: handed.poll.supersedeKey, manner: handed.poll.manner,
            cookies: handed.cookies)
        if route.nothingNew.comparesLast { lastAnswer = handed.progress.kept?.digest }
    }

    package init(
        route: RecheckRoute, channels: [ChannelName], identity: RequestIdentity, shareKey: [UInt8]?,
        supersedeKey: [UInt8]?, manner: RequestManner, cookies: [UInt8]
    ) {
        self.route = route
        self.channels = channels
        self.identity = identity
        self.shareKey = shareKey
        self.supersedeKey = supersedeKey
        self.manner = manner
        self.cookies = cookies
    }

    /// Whether an answer sets a cookie that the client does not have with that value: then it is news, whatever its
    /// body says. One that only lives longer comes with the answer at the hold's end.
    package func hasNewCookies(in head: borrowing ResponseHead) -> Bool {
        for line in head.fields.lines where line.name == .setCookie {
            let pair = head.fields.value(of: line).array.prefix { $0 != 0x3B }
            guard let equals = pair.firstIndex(of: 0x3D) else { return true }
            let name = Array(pair[..<equals])
            guard let place = CookieItems.value(cookies.span, named: name.span),
                cookies[place].elementsEqual(pair[(equals + 1)...])
            else { return true }
        }
        return false
    }
}

extension ChannelName {
    /// Nil for what is no name.
    init?(orNil text: Span<UInt8>) {
        do throws(ChannelNameError) {
            try self.init(text)
        } catch {
            return nil
        }
    }
}

/// Items of a list field, without their arguments.
private enum ListItems {
    static func contains(_ value: Span<UInt8>, _ item: StaticString) -> Bool {
        value.array.split(separator: 0x2C).contains { part in
            let name = Array(part.drop { $0 == 0x20 || $0 == 0x09 }.prefix { $0 != 0x3D && $0 != 0x20 && $0 != 0x09 })
            return name.span.equalsIgnoringCase(item)
        }
    }
}
