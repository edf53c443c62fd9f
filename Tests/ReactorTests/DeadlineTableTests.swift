import Reactor
import Testing

struct DeadlineTableTests {
    let short = DeadlineTable.Kind(index: 0)
    let long = DeadlineTable.Kind(index: 1)

    @Test func `what was set first is due first, over all kinds`() {
        var table = DeadlineTable()
        table.set(0, long, lasting: 100, now: 0)
        table.set(1, short, lasting: 10, now: 0)
        table.set(2, short, lasting: 10, now: 5)
        #expect(table.next == 10)
        let early = table.popDue(now: 9)
        #expect(early == nil)
        var due: [Int] = []
        while let (number, _) = table.popDue(now: 100) { due.append(number) }
        #expect(due == [1, 2, 0])
        #expect(table.next == nil)
    }

    @Test func `setting again moves a deadline and clearing forgets it`() {
        var table = DeadlineTable()
        table.set(7, short, lasting: 10, now: 0)
        table.set(7, long, lasting: 100, now: 1)
        #expect(table.next == 101)
        #expect(table.kind(of: 7) == long)
        table.clear(7)
        table.clear(7)
        #expect(table.next == nil)
        #expect(table.kind(of: 7) == nil)
        #expect(table.kind(of: 99) == nil)
    }

    @Test func `random use agrees with a plain dictionary`() {
        var generator = SystemRandomNumberGenerator()
        let seed = UInt64.random(in: 0..<1 << 32, using: &generator)
        var random = Seeded(state: seed)
        var table = DeadlineTable()
        var plain: [Int: Int64] = [:]
        for now in Int64(0)..<3000 {
            let number = Int.random(in: 0..<40, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let kind = Bool.random(using: &random) ? short : long
                // As after a reload, or on routes of their own: one kind lasts differently long.
                let duration = Int64([10, 30, 100].randomElement(using: &random) ?? 10)
                table.set(number, kind, lasting: duration, now: now)
                plain[number] = now + duration
            case 2:
                table.clear(number)
                plain[number] = nil
            default:
                while let (due, _) = table.popDue(now: now) {
                    #expect((plain[due] ?? .max) <= now, "seed \(seed)")
                    plain[due] = nil
                }
                #expect(plain.values.allSatisfy { $0 > now }, "seed \(seed)")
            }
            #expect(table.next == plain.values.min(), "seed \(seed)")
        }
    }

    @Test func `those for which a kind of clock has run longest are found, and no others`() {
        var table = DeadlineTable()
        table.set(1, short, lasting: 100, now: 0)
        table.set(2, long, lasting: 100, now: 0)
        table.set(3, short, lasting: 100, now: 5)
        table.set(1, short, lasting: 100, now: 7)
        table.set(4, short, lasting: 100, now: 9)
        let atLeastFive = table.longest(short, atLeast: 5, now: 12, limit: 10)
        #expect(atLeastFive == [3, 1])
        let first = table.longest(short, atLeast: 5, now: 12, limit: 1)
        #expect(first == [3])
        let none = table.longest(short, atLeast: 8, now: 12, limit: 10)
        #expect(none == [])
    }
}

/// SplitMix64: one seed gives one run.
struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
