import Gateway
import Testing

struct ReloadLedgerTests {
    @Test func `a reload is over when every worker has taken it`() {
        var ledger = ReloadLedger(workers: 3)
        let first = ledger.began()
        var done = ledger.took(first, worker: 0)
        #expect(done == nil)
        done = ledger.took(first, worker: 2)
        #expect(done == nil)
        done = ledger.took(first, worker: 1)
        #expect(done == first...first)
        done = ledger.took(first, worker: 1)
        #expect(done == nil)
    }

    @Test func `a second one may begin before the first is over, and a slow worker ends both`() {
        var ledger = ReloadLedger(workers: 2)
        let first = ledger.began()
        let second = ledger.began()
        var done = ledger.took(first, worker: 0)
        #expect(done == nil)
        done = ledger.took(second, worker: 0)
        #expect(done == nil)
        done = ledger.took(second, worker: 1)
        #expect(done == first...second)
    }
}
