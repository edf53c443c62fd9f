/// The end of a worker: it takes no more connections, ends those on which nothing is under way, and answers held polls
/// one after the other.
import Gateway
import Reactor

extension Worker {
    /// Rounds of accepting in which those who wait already are taken in.
    private static let lastAccepts = 64

    func drain(over spread: Duration) {
        guard !isDraining else { return }
        closeListeners()
        isDraining = true
        switchboard.closeWithAnswers()
        let held = Set(switchboard.heldConnections + rechecks.polls.map(\.number))
        departure = Departure(held.sorted(), over: spread, now: now)
        for (number, stream) in streams.enumerated() where !held.contains(number) { stream?.drain() }
    }

    /// Who has connected already is served; who comes from here on is told by the system that nobody is there.
    private func closeListeners() {
        let closing = listeners + [controlListener].compactMap { $0 }
        for listener in closing {
            listener.resume()
            for _ in 0..<Self.lastAccepts {
                let before = figures.accepted
                listener.becameReady([])
                if figures.accepted == before { break }
            }
            listener.pause()
        }
        listeners = []
        controlListener = nil
        acceptPausedUntil = nil
    }

    /// Answers the held polls whose turn has come.
    func goOnDraining() {
        let now = now
        while let number = departure?.next(now: now) { streams[number]?.drain() }
    }

    /// What is still held gets its answer; then everything is cut off.
    func endNow() {
        if !isDraining { switchboard.closeWithAnswers() }
        isDraining = true
        isEnding = true
        // Until here it was asked whether clients are to be sent elsewhere.
        adminListener?.pause()
        for stream in streams { stream?.answerNow() }
        departure = nil
        for stream in streams { stream?.end() }
    }
}
