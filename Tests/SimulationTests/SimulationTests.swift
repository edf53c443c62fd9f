import Foundation
import Testing

/// Thousands of histories over Switchboards and pool. POLLHOLD_SEED=N runs that one seed alone.
struct SimulationTests {
    static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        if let seed = environment["POLLHOLD_SEED"].flatMap(UInt64.init) { return seed..<seed + 1 }
        let scale = environment["POLLHOLD_TEST_SCALE"].flatMap(Double.init) ?? 1
        let first = UInt64.random(in: 0..<1 << 40)
        return first..<first + UInt64(4000 * scale)
    }()

    @Test func `no message is lost, doubled or skipped in silence, and every poll is answered`() throws {
        var answers = 0
        var gaps = 0
        var upgrades = 0
        for seed in Self.seeds {
            var world = try World(seed: seed)
            try world.run()
            #expect(world.violations.isEmpty, "\(world.violations.first ?? "")")
            answers += world.answers
            gaps += world.gaps
            upgrades += world.upgrades
        }
        print("simulation: seeds \(Self.seeds), \(answers) answers, \(gaps) gaps, \(upgrades) upgrades")
        #expect(answers > Self.seeds.count * 10)
        #expect(upgrades > Self.seeds.count || Self.seeds.count == 1)
    }

    @Test(arguments: [World.Fault.notifyFirst, .emptyWithoutLookUp, .holdLater, .handedUnseen])
    func `the canary: a wrong order of events is found out`(fault: World.Fault) throws {
        for seed in UInt64(0)..<2000 {
            var world = try World(seed: seed, fault: fault)
            try world.run()
            if !world.violations.isEmpty { return }
        }
        Issue.record("\(fault) went unnoticed")
    }
}
