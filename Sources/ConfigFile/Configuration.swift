/// Everything that the file decides, as plain values with their defaults filled in (DESIGN §7).
package struct Configuration: Equatable, Sendable {
    package var listen: [Listen]
    /// Who may say on whose behalf it asks.
    package var trusted: AddressList
    package var forwarding: Forwarding
    package var requestID: RequestID
    package var upstream: Upstream
    /// nil: no control socket.
    package var control: Control?
    /// Where health and metrics can be asked for; nil: on the control socket alone.
    package var admin: ListenAddress?
    package var workers: Int
    /// To become after the sockets are bound; nil: stay who started us.
    package var user: String?
    package var group: String?
    package var pool: Pool
    /// In the order in which they are tried.
    package var routes: [Route]
    package var publish: [PublishRule]
    package var limits: Limits
    package var timeouts: Timeouts
    package var log: Log

    package struct Listen: Equatable, Sendable {
        package var address: ListenAddress
        /// Every connection begins with a PROXY header.
        package var proxyProtocol: Bool
        /// TLS ends in front of this address.
        package var isSecure: Bool

        package init(_ address: ListenAddress, proxyProtocol: Bool = false, isSecure: Bool = false) {
            self.address = address
            self.proxyProtocol = proxyProtocol
            self.isSecure = isSecure
        }
    }

    package struct Forwarding: Equatable, Sendable {
        package var send: Sent
        /// What a trusted peer is believed; the other family is only written.
        package var believe: Family

        package enum Family: String, CaseIterable, Sendable {
            case xForwarded = "x-forwarded"
            case forwarded
        }
        package enum Sent: String, CaseIterable, Sendable {
            case both
            case xForwarded = "x-forwarded"
            case forwarded
            case none
        }
    }

    /// Who gets to see a request's X-Request-Id; `off`: it is a field like any other.
    package enum RequestID: String, CaseIterable, Sendable {
        case off
        case app
        case client
    }

    package struct Control: Equatable, Sendable {
        package var socket: String
        /// Permission bits.
        package var mode: UInt32
        package var owner: String?
        package var group: String?
        package var bodyBytesLimit: Int
        package var lineBytesLimit: Int
    }

    package struct Pool: Equatable, Sendable {
        package var messages: Int
        package var age: Duration
        package var memoryBytes: Int
        package var channels: Int
        package var idempotencyKeys: Int
        /// The directory in which the pool is written down; nil: it is in memory alone.
        package var store: String?
        package var sync: Sync

        /// What an accepted publish survives.
        package enum Sync: String, CaseIterable, Sendable {
            /// The end of the process.
            case os
            /// The end of the machine.
            case full
        }
    }

    package struct Route: Equatable, Sendable {
        package var path: PathPattern
        package var kind: Kind

        package enum Kind: Equatable, Sendable {
            case hold(Hold)
            case recheck(Recheck)
            case proxy(Proxy)
        }
    }

    /// How requests are passed on to the app.
    package struct Proxy: Equatable, Sendable {
        /// nil: no limit.
        package var requestBodyBytes: Int?
        /// Until the response's first byte.
        package var responseTimeout: Duration
        /// Between two pieces of a response.
        package var idleTimeout: Duration
    }

    /// For what no route takes.
    package var proxy: Proxy {
        Proxy(
            requestBodyBytes: limits.requestBodyBytes, responseTimeout: upstream.responseTimeout,
            idleTimeout: upstream.idleTimeout)
    }

    package struct Hold: Equatable, Sendable {
        package var channels: [TemplateText]
        /// nil: the template leaves the client no choice.
        package var allow: [ChannelPattern]?
        /// nil: who reaches the route may poll.
        package var authorize: Authorize?
        package var timeout: Duration
        package var startsNow: Bool
        package var batchMessages: Int
        package var batchBytes: Int
        package var format: Format
        package var empty: Empty?
        package var crossOrigin: CrossOrigin?
        package var channelsLimit: Int
        package var afterParameter: String
        package var cursor: CursorKeeping
        /// The query parameter that names the function of a JSONP answer.
        package var callbackParameter: String
        /// The whole answer's shape, in the place of a format.
        package var template: AnswerTemplate?
        /// Polls may be POST requests, with the channels and the cursor in a form or JSON.
        package var holdsPosts = false
        /// Whose new poll takes the place of the held one.
        package var supersede: TemplateText?

        package enum Format: String, CaseIterable, Sendable {
            case json
            case array
            case raw
            case jsonp
        }

        /// Who knows how far a client has come.
        package enum CursorKeeping: Equatable, Sendable {
            /// The client itself, in a query parameter.
            case client
            /// Its browser, in a cookie of this name.
            case cookie(String)
            /// The channel: each message is handed out once.
            case taking
        }
    }

    /// The answer of a hold that ended without a message.
    package struct Empty: Equatable, Sendable {
        package var status: Int?
        package var headers: [Header]
        package var body: String?

        package struct Header: Equatable, Sendable {
            package var name: String
            package var value: String
        }
    }

    package struct CrossOrigin: Equatable, Sendable {
        package var origins: [String]
        package var credentials: Bool
        package var maxAge: Duration
    }

    package struct Limits: Equatable, Sendable {
        package var requestLineBytes: Int
        package var fieldBytes: Int
        package var headBytes: Int
        package var headerLines: Int
        /// nil: none.
        package var requestBodyBytes: Int?
        /// nil: as many as descriptors allow.
        package var connections: Int?
        package var polls: Int?
        /// Of one connection; nil: no limit.
        package var requests: Int?
        /// Of one address; nil: no limit.
        package var connectionsPerClient: Int?
        package var pollsPerClient: PollsPerClient
        /// Held on one channel; nil: no limit.
        package var pollsPerChannel: Int?
        /// Of the process; nil: no limit.
        package var memoryBytes: Int?
        /// Who counts as one client for polls; nil: an address.
        package var client: TemplateText?
        /// What a client must send of a body or take of a response at least; nil: nothing.
        package var bytesPerSecond: Int?
    }

    package enum PollsPerClient: Equatable, Sendable {
        case unlimited
        /// A usual number for clients elsewhere, any for this machine, where a proxy may ask for everybody.
        case automatic
        case count(Int)
    }

    package struct Timeouts: Equatable, Sendable {
        package var head: Duration
        package var body: Duration
        package var write: Duration
        package var keepAlive: Duration
        package var tunnel: Duration
        package var drain: Duration
        /// For which it is only said that the process will end.
        package var drainNotice: Duration
        /// Over which held polls are answered.
        package var drainSpread: Duration
        /// How long the process that another one has replaced goes on with what can't be handed over.
        package var upgrade: Duration
        /// Over which a body's rate is taken.
        package var rate: Duration
    }

    package struct Log: Equatable, Sendable {
        package var level: Level
        package var format: Format
        package var access: Access
        package var accessFormat: AccessFormat

        package enum Level: String, CaseIterable, Sendable {
            case debug
            case info
            case warning
            case error
        }
        package enum Format: String, CaseIterable, Sendable {
            case text
            case json
        }
        /// `text` is another name of `combined`.
        package enum AccessFormat: String, CaseIterable, Sendable {
            case combined
            case json
            case text
        }
        package enum Access: Equatable, Sendable {
            case off
            case standardError
            case standardOutput
            case file(String)
        }
    }

    /// Sections that differ, for the log of a reload.
    package static func changes(from old: Configuration, to new: Configuration) -> [String] {
        let sections: [(String, Bool)] = [
            ("listen", old.listen != new.listen), ("trusted", old.trusted != new.trusted),
            ("forwarding", old.forwarding != new.forwarding), ("request_id", old.requestID != new.requestID),
            ("upstream", old.upstream != new.upstream), ("control", old.control != new.control),
            ("admin", old.admin != new.admin), ("pool", old.pool != new.pool), ("routes", old.routes != new.routes),
            ("publish", old.publish != new.publish), ("limits", old.limits != new.limits),
            ("timeouts", old.timeouts != new.timeouts), ("log", old.log != new.log),
        ]
        return sections.filter(\.1).map(\.0)
    }

    /// What can't change while the daemon runs, as keys: threads are started and rights given up once, and a pool's
    /// file belongs to the pool that was loaded from it.
    package static func changesThatNeedRestart(from old: Configuration, to new: Configuration) -> [String] {
        var keys: [String] = []
        if old.workers != new.workers { keys.append("workers") }
        if old.user != new.user { keys.append("user") }
        if old.group != new.group { keys.append("group") }
        if old.pool.store != new.pool.store { keys.append("pool.store") }
        if old.pool.sync != new.pool.sync { keys.append("pool.sync") }
        return keys
    }
}

/// Where clients come in.
package enum ListenAddress: Equatable, Sendable, CustomStringConvertible {
    /// The host in numbers.
    case network(host: String, port: UInt16)
    case unix(path: String)

    package var description: String {
        switch self {
        case .network(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
