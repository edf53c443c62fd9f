/// The loop that all of a measurement's connections hang on, run until something is true.
import Reactor

final class BenchLoop {
    let events: EventLoop
    private var timer: LoopTimer?
    /// When the present `run` looks at its condition though nothing has happened.
    private var interval: Int64 = 0

    init() throws {
        SignalSource.ignoreBrokenPipes()
        events = try EventLoop()
        timer = LoopTimer(loop: events) { [unowned self] in setTimer() }
    }

    private func setTimer() { timer?.set(events.now + interval) }

    /// Runs turns until `condition` holds, which is looked at after each turn.
    ///
    /// - Parameters:
    ///   - interval: nanoseconds after which it is looked at though nothing has come.
    /// - Returns: false if the time was up first.
    @discardableResult
    func run(atMost seconds: Double, interval: Int64 = 20_000_000, until condition: () throws -> Bool) rethrows -> Bool
    {
        let end = EventLoop.monotonicNanoseconds() + Int64(seconds * 1e9)
        self.interval = interval
        setTimer()
        defer { timer?.set(nil) }
        while try !condition() {
            if EventLoop.monotonicNanoseconds() >= end { return false }
            events.runTurn()
        }
        return true
    }

    /// The same, but failing in time is an error that says what never came.
    func run(until what: String, atMost seconds: Double, _ condition: () throws -> Bool) throws {
        guard try run(atMost: seconds, until: condition) else { throw BenchError("never came to be: \(what)") }
    }

    /// Lets the connections live for a while.
    func pause(_ seconds: Double) { run(atMost: seconds, interval: Int64(seconds * 1e9) + 1000) { false } }

    /// Runs until the processes of a server do nothing any more: less than half a millisecond of processor time in a
    /// tenth of a second and no thread that would run, twice. A server that is never that idle is given ten seconds.
    func settle(_ tree: ProcessTree) {
        var quiet = 0
        var last = tree.processorTime
        for _ in 0..<100 where quiet < 2 {
            pause(0.1)
            let time = tree.processorTime
            quiet = time - last < 500_000 && tree.isWaiting ? quiet + 1 : 0
            last = time
        }
    }
}
