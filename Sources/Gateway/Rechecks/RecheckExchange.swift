/// One poll of a recheck route from its request to its answer, as a machine that its board drives. It knows no socket.
package import Polling

package struct RecheckExchange {
    package enum State: Equatable {
        /// The pool is being asked to watch. Legal: `watched`. Followed by held or lined.
        case looking
        /// Waits for its turn to ask. Legal: `nextQuestion`, a notice, its patience's end, `peerClosed`.
        case lined
        /// Its turn has come, and its watch is being renewed before it asks. Legal: `watched`. Followed by asking or
        /// following.
        case renewing(leader: Int?)
        /// Its question is under way. Legal: `answered`, `failed`, a notice, `peerClosed`. Followed by held, lined or
        /// the end.
        case asking
        /// Another's question is its own too. Legal: what ends that question.
        case following(leader: Int)
        /// The app has nothing new. Legal: a notice, a deadline, `finish`, `peerClosed`. Followed by lined or the end.
        case held
    }

    package internal(set) var state = State.looking
    package let request: RecheckRequest
    /// Tells it from an earlier one on the same connection.
    let serial: UInt64
    /// Its watch in the table; nil only until the first `watched`.
    var watch: HoldNumber?
    /// The pool's number at which its watch began: an answer to a question that was sent later knows all up to it.
    package internal(set) var number: UInt64 = 0
    /// Something has happened since the watch began, so the app is to be asked once more.
    var isDirty = false
    /// When its last question, or the one on account of which it is held, was sent.
    package internal(set) var askedAt: Moment?
    /// When the question under way was sent.
    package internal(set) var sentAt = Moment(nanoseconds: 0)
    /// When it came.
    package let startedAt: Moment
    /// When the app is to answer, whatever it says.
    var end: Moment
    /// Something has happened on its channels since it came.
    var wasSignalled = false
    /// When a question that is due may be asked; nil: none is due.
    var dueAt: Moment?
    /// The app's last "nothing new".
    package internal(set) var kept: KeptAnswer?
    /// The app has said "nothing new" for this poll, so far.
    var isFirst = true
    /// Questions in a row that failed.
    var failures = 0
    /// Another poll has taken its place: it ends with the question that is under way.
    var isSuperseded = false
    /// It is to be taken out.
    var isOver = false
    /// The earliest moment for which it stands in the board's queue.
    var timerAt: Moment?
    /// For the access log.
    package internal(set) var questions = 0

    /// Why a poll was answered.
    package enum Release: String, CaseIterable, Sendable {
        /// The first question's answer was new.
        case first
        /// Something happened, and the app had news.
        case signal
        /// The hold ended, and the app answered.
        case timeout
        /// The app could not be asked at the hold's end, and its last "nothing new" went out once more.
        case kept
        case superseded
        case drain
        /// A reload has taken its route away.
        case reload
        /// The app gave no answer to its first question.
        case failed
    }

    /// How a poll ended.
    package struct Ending: Equatable, Sendable {
        package let release: Release
        /// That were asked for it.
        package let questions: Int

        package init(_ release: Release, questions: Int) {
            self.release = release
            self.questions = questions
        }
    }

    init(_ request: RecheckRequest, serial: UInt64, now: Moment) {
        self.request = request
        self.serial = serial
        startedAt = now
        end = now + request.route.timeout
    }

    /// Held, with nothing that it would have to ask for.
    package var isIdle: Bool { state == .held && !isDirty }

    var route: RecheckRoute { request.route }

    /// When something is to be done without being told.
    func nextMoment(patience: Duration) -> Moment? {
        switch state {
        case .looking, .renewing, .asking, .following: return nil
        case .lined where isFirst: return startedAt + .nanoseconds(route.proxy.responseTimeout)
        case .lined: return end + patience
        case .held:
            var next = end
            if let dueAt { next = min(next, dueAt) }
            if let askedAt, let passEvery = route.passEvery { next = min(next, askedAt + passEvery) }
            return next
        }
    }
}
