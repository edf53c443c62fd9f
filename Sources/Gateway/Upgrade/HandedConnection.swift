/// A connection that another process goes on with: who is at the other end, what waits to be read and sent, and the
/// poll that is held on it.
package import Polling

package struct HandedConnection: Sendable {
    package enum Kind: UInt8, Sendable {
        case client
        case control
        case admin
    }

    package enum State: Sendable {
        /// Between two requests, or inside a head, whose bytes wait to be read.
        ///
        /// - Parameters:
        ///   - isNew: it has had no request.
        ///   - hasPreamble: what a proxy in front says of it is still to come.
        ///   - speaksLines: of a publisher.
        case idle(isNew: Bool, hasPreamble: Bool, speaksLines: Bool)
        case hold(HandedHold)
        case recheck(HandedRecheck)
    }

    package var kind: Kind
    package var state: State
    package var peer = Peer(.unix)
    /// Requests that it has had.
    package var requestCount: UInt32 = 0
    /// Came and was not read.
    package var input: [UInt8] = []
    /// Of answers, and was not sent.
    package var output: [UInt8] = []
    /// Of the poll, for the access log; nil: there was none.
    package var entry: HandedEntry?
    /// Whom the poll is counted for.
    package var pollKey = ClientKey.nobody

    package init(_ kind: Kind, _ state: State) {
        self.kind = kind
        self.state = state
    }
}

extension HandedConnection {
    /// When the poll that is held came; nil: none is.
    package var pollStartedAt: Moment? {
        switch state {
        case .idle: nil
        case .hold(let hold): hold.poll.startedAt
        case .recheck(let recheck): recheck.poll.startedAt
        }
    }
}

/// What all held polls have.
package struct HandedPoll: Sendable {
    /// Of the route.
    package let path: String
    /// The route's templates: one with others waits for something else.
    package let templates: [String]
    package let epoch: Epoch
    package let channels: [ChannelName]
    package let manner: RequestManner
    package let supersedeKey: [UInt8]?
    package let startedAt: Moment
    /// A whole answer, for when no route of the new process goes on with it, and its status.
    package let lastWord: [UInt8]
    package let lastStatus: Int

    package init(
        path: String, templates: [String], epoch: Epoch, channels: [ChannelName], manner: RequestManner,
        supersedeKey: [UInt8]?, startedAt: Moment, lastWord: [UInt8], lastStatus: Int
    ) {
        self.path = path
        self.templates = templates
        self.epoch = epoch
        self.channels = channels
        self.manner = manner
        self.supersedeKey = supersedeKey
        self.startedAt = startedAt
        self.lastWord = lastWord
        self.lastStatus = lastStatus
    }
}

/// A poll that the pool answers.
package struct HandedHold: Sendable {
    package var poll: HandedPoll
    /// The position up to which it has had everything.
    package let after: UInt64
    /// Of the control socket.
    package let isTrusted: Bool
    /// Its client was let in by the app.
    package let isAuthorized: Bool
    /// The origin that reads it, if it is one of the route's list.
    package let origin: HandedOrigin
    package let callback: [UInt8]?
    /// The grant under which it is held, so that it ends when that is revoked.
    package var grant: HandedGrant?
    /// Of that grant in the process that has it now; 0: there is none.
    package var grantSerial: UInt64 = 0

    package init(
        poll: HandedPoll, after: UInt64, isTrusted: Bool, isAuthorized: Bool, origin: HandedOrigin, callback: [UInt8]?
    ) {
        self.poll = poll
        self.after = after
        self.isTrusted = isTrusted
        self.isAuthorized = isAuthorized
        self.origin = origin
        self.callback = callback
    }
}

package enum HandedOrigin: Equatable, Sendable {
    case none
    case any
    case listed([UInt8])
}

package struct HandedGrant: Equatable, Sendable {
    package let credential: [UInt8]
    package let until: Moment

    package init(credential: [UInt8], until: Moment) {
        self.credential = credential
        self.until = until
    }
}

/// A poll that the app answers.
package struct HandedRecheck: Sendable {
    package let poll: HandedPoll
    /// Head and body for the app.
    package let requestBytes: [UInt8]
    package let shareKey: [UInt8]?
    package let cookies: [UInt8]
    /// The server that its client's cookie names.
    package let server: String?
    /// What the client is told as X-Request-Id.
    package let requestID: RequestID?
    /// It is measured by its client's last answer, and has been told that once more.
    package let comparesLast: Bool
    package let progress: RecheckProgress

    package init(
        poll: HandedPoll, requestBytes: [UInt8], shareKey: [UInt8]?, cookies: [UInt8], server: String?,
        requestID: RequestID?, comparesLast: Bool, progress: RecheckProgress
    ) {
        self.poll = poll
        self.requestBytes = requestBytes
        self.shareKey = shareKey
        self.cookies = cookies
        self.server = server
        self.requestID = requestID
        self.comparesLast = comparesLast
        self.progress = progress
    }
}

/// How far a recheck poll has come that has no question under way.
package struct RecheckProgress: Equatable, Sendable {
    /// The pool's number up to which nothing has happened on its channels; nil: something has.
    package var number: UInt64?
    package var askedAt: Moment?
    package var dueAt: Moment?
    package var end: Moment
    package var isFirst = true
    package var wasSignalled = false
    package var failures = 0
    package var questions = 0
    package var kept: KeptAnswer?
}

extension RecheckProgress {
    /// Of a poll for which the app has not been asked.
    package init(end: Moment) {
        self.init(
            number: nil, askedAt: nil, dueAt: nil, end: end, isFirst: true, wasSignalled: false, failures: 0,
            questions: 0, kept: nil)
    }
}

/// A request's line of the access log, as far as it is known.
package struct HandedEntry: Equatable, Sendable {
    package let isJSON: Bool
    package let beginning: [UInt8]
    package let ending: [UInt8]
    package let startedAt: Int64
    package let receivedFor: Int64
}

extension AccessEntry {
    package var handed: HandedEntry {
        HandedEntry(
            isJSON: format == .json, beginning: beginning, ending: ending, startedAt: startedAt,
            receivedFor: receivedFor)
    }

    package convenience init(_ handed: HandedEntry) {
        self.init(
            handed.isJSON ? .json : .combined, beginning: handed.beginning, ending: handed.ending,
            startedAt: handed.startedAt, receivedFor: handed.receivedFor)
    }
}
