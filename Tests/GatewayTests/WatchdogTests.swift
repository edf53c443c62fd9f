import Gateway
import Testing

struct WatchdogTests {
    @Test func `a worker that answers is never stuck`() {
        var watchdog = Watchdog(workers: 2)
        for _ in 0..<100 {
            let findings = watchdog.tick()
            #expect(findings == [])
            for worker in 0..<2 {
                let finding = watchdog.answered(worker)
                #expect(finding == nil)
            }
        }
    }

    @Test func `one that doesn't is called stuck once, and lost in the end`() {
        var watchdog = Watchdog(workers: 2)
        var findings: [(Int, Watchdog.Finding)] = []
        for second in 0..<200 {
            findings += watchdog.tick().map { (second, $0) }
            _ = watchdog.answered(0)
        }
        #expect(findings.map(\.0) == [Watchdog.patience, Watchdog.endurance])
        #expect(findings.map(\.1) == [.stuck(worker: 1), .lost(worker: 1)])
    }

    @Test func `one that comes back is told`() {
        var watchdog = Watchdog(workers: 1)
        #expect(watchdog.allAnswer)
        for _ in 0..<10 { _ = watchdog.tick() }
        #expect(!watchdog.allAnswer)
        let back = watchdog.answered(0)
        #expect(back == .recovered(worker: 0))
        #expect(watchdog.allAnswer)
        let again = watchdog.answered(0)
        #expect(again == nil)
    }

    @Test func `a process that was stopped as a whole finds nobody stuck`() {
        var watchdog = Watchdog(workers: 1)
        for _ in 0..<50 {
            // However long the stop was, it is one tick late.
            let findings = watchdog.tick()
            #expect(findings == [])
            _ = watchdog.answered(0)
        }
    }
}
