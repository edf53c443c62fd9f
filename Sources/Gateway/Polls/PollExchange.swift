/// One poll from its request to its answer, as a machine. It knows no socket: its Switchboard numbers it.
package import Polling

package struct PollExchange {
    /// Why a poll was answered. The access log and the metrics name it.
    package enum Release: String, CaseIterable {
        /// Messages were there at once.
        case found
        /// A message came while it was held.
        case message
        /// Messages after the cursor are gone.
        case gap
        case timeout
        /// The daemon drains, or the route has gone with a reload.
        case drain
        case reload
        /// The app no longer lets the client listen, or is to be asked again.
        case revoked
        /// A new poll of the same client took its place.
        case superseded
        /// It was not held: as many wait on its channel as may.
        case full

        /// Where it is counted; its index among all cases, below 16.
        package var place: Int {
            switch self {
            case .found: 0
            case .message: 1
            case .gap: 2
            case .timeout: 3
            case .drain: 4
            case .reload: 5
            case .revoked: 6
            case .superseded: 7
            case .full: 8
            }
        }
    }

    package enum State {
        /// No poll is under way. Legal: `received`.
        case idle
        /// The pool is being asked by name. Legal: `found`. Followed by held or idle.
        case looking
        /// It waits. Legal: `wake` (a notice), `finish` (the deadline, a drain, a reload), `peerClosed`.
        case held(HoldNumber)
        /// The pool is being asked a last time; nothing found means an empty answer. Legal: `found`. Followed by idle.
        case finishing(HoldNumber, Release)
    }

    package var state = State.idle
    package var style: AnswerStyle?
    /// When the poll was received.
    package var startedAt = Moment(nanoseconds: 0)
    /// A wake for it stands in the Switchboard's list already.
    package var isWoken = false
    /// It may wait; false for HEAD, which is answered at once.
    package var mayHold = true
}
