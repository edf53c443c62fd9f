/// What a request on the control socket asks for (DESIGN §6), found from its head; the body comes later.
import ByteText
package import HTTP1
package import Polling

package enum ControlCommand {
    /// Publish the body. `channel` is the query's, percent-decoded; without it the body names its channels.
    case publish(channel: [UInt8]?, contentType: [UInt8]?, key: [UInt8]?)
    case listChannels(prefix: [UInt8], after: [UInt8]?, limit: Int)
    /// Those on which most polls wait, with their figures.
    case listBusiest(prefix: [UInt8], limit: Int)
    case describe(ChannelName)
    case delete(ChannelName)
    case status
    case metrics
    case health(HealthQuestion)
    case reload
    case upgrade
    /// Take back what the app has granted to a credential; nil: to everybody.
    case revoke(credential: [UInt8]?)
    /// A poll on any channel; its query is read like that of a hold route.
    case poll

    /// Names in one answer, unless the request asks for fewer.
    private static let listedChannelsLimit = 1000

    /// - Throws: `ControlError` with the status that fits.
    package init(_ head: borrowing RequestHead) throws(ControlError) {
        let path = head[head.pathRange]
        if path.equals("/publish") {
            try Self.require(head, .post, "POST")
            self = .publish(
                channel: try Self.parameter("channel", of: head), contentType: Self.field(.contentType, of: head),
                key: try Self.idempotencyKey(head))
        } else if path.equals("/channels") {
            try Self.require(head, .get, "GET")
            var limit = Self.listedChannelsLimit
            if let text = try Self.parameter("limit", of: head) {
                guard let number = text.span.decimalValue, number > 0 else {
                    throw .badParameter("limit", "a number above 0")
                }
                limit = min(limit, Int(min(number, UInt64(limit))))
            }
            let (prefix, after) = (
                try Self.parameter("prefix", of: head) ?? [], try Self.parameter("after", of: head)
            )
            switch try Self.parameter("order", of: head) {
            case nil: self = .listChannels(prefix: prefix, after: after, limit: limit)
            case Array("waiting".utf8):
                guard after == nil else { throw .badParameter("after", "absent where the order is not that of names") }
                self = .listBusiest(prefix: prefix, limit: limit)
            default: throw .badParameter("order", "waiting, or absent")
            }
        } else if path.count > 10, path.extracting(0..<10).equals("/channels/") {
            let name = try Self.channelName(path.extracting(10...))
            switch head.method {
            case .get: self = .describe(name)
            case .delete: self = .delete(name)
            default: throw .methodNotAllowed(allowed: "GET, DELETE")
            }
        } else if path.equals("/status") {
            try Self.require(head, .get, "GET")
            self = .status
        } else if path.equals("/metrics") {
            try Self.require(head, .get, "GET")
            self = .metrics
        } else if let question = HealthQuestion(path) {
            guard head.method == .get || head.method == .head else { throw .methodNotAllowed(allowed: "GET, HEAD") }
            self = .health(question)
        } else if path.equals("/reload") {
            try Self.require(head, .post, "POST")
            self = .reload
        } else if path.equals("/upgrade") {
            try Self.require(head, .post, "POST")
            self = .upgrade
        } else if path.equals("/revoke") {
            try Self.require(head, .post, "POST")
            self = .revoke(credential: try Self.parameter("credential", of: head))
        } else if path.equals("/poll") {
            self = .poll
        } else {
            throw .unknownPath
        }
    }

    private static func require(
        _ head: borrowing RequestHead, _ method: Method, _ allowed: StaticString
    ) throws(ControlError) {
        guard head.method == method else { throw .methodNotAllowed(allowed: allowed) }
    }

    private static func channelName(_ encoded: Span<UInt8>) throws(ControlError) -> ChannelName {
        guard let decoded = encoded.percentDecoded(plusIsSpace: false) else {
            throw .badParameter("channel", "a percent-encoded name")
        }
        do throws(ChannelNameError) {
            return try ChannelName(decoded.span)
        } catch {
            throw .badChannel(error)
        }
    }

    private static func parameter(
        _ name: StaticString, of head: borrowing RequestHead
    ) throws(ControlError) -> [UInt8]? {
        guard let query = head.queryRange else { return nil }
        var wanted: [UInt8] = []
        wanted.append(name)
        guard let values = QueryItems.values(head[query], named: wanted.span) else {
            throw .badParameter(name, "a percent-encoded value")
        }
        guard values.count <= 1 else { throw .badParameter(name, "one value") }
        return values.first
    }

    private static func field(_ name: FieldName, of head: borrowing RequestHead) -> [UInt8]? {
        guard let line = head.fields.first(of: name) else { return nil }
        return head.fields.value(of: line).array
    }

    /// The Idempotency-Key field, at most 200 bytes.
    private static func idempotencyKey(_ head: borrowing RequestHead) throws(ControlError) -> [UInt8]? {
        guard let line = head.fields.first(of: "idempotency-key") else { return nil }
        let key = head.fields.value(of: line).array
        guard !key.isEmpty, key.count <= 200 else { throw .badParameter("Idempotency-Key", "1 to 200 bytes") }
        return key
    }
}

/// What is wrong with a request on the control socket, apart from its body.
package enum ControlError: Error {
    case unknownPath
    /// On the admin listener.
    case unknownAdminPath
    case methodNotAllowed(allowed: StaticString)
    case badParameter(StaticString, StaticString)
    case badChannel(ChannelNameError)

    package var status: Int {
        switch self {
        case .unknownPath, .unknownAdminPath: 404
        case .methodNotAllowed: 405
        case .badParameter, .badChannel: 400
        }
    }

    /// Methods that would be allowed.
    package var allow: StaticString? {
        if case .methodNotAllowed(let allowed) = self { allowed } else { nil }
    }

    package var reason: String {
        switch self {
        case .unknownPath:
            "unknown path; there are /publish, /channels, /channels/NAME, /status, /metrics, /health/live, "
                + "/health/ready, /reload, /upgrade, /revoke and /poll"
        case .unknownAdminPath: "unknown path; there are /health/live, /health/ready and /metrics"
        case .methodNotAllowed(let allowed): "the method is not allowed here; \(allowed) is"
        case .badParameter(let name, let expected): "\(name) must be \(expected)"
        case .badChannel(let error): "the channel name is not valid: \(error)"
        }
    }
}
