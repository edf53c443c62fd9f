import Testing

/// Seeded runs of recheck polls against the laws of their board.
struct RecheckSimulationTests {
    @Test func `no signal is lost, no answer strays, and every poll is answered, whatever the order`() throws {
        let first = UInt64.random(in: 0..<1 << 40)
        var (asked, news, upgrades) = (0, 0, 0)
        for seed in first..<first + 2000 {
            var world = try RecheckWorld(seed: seed)
            try world.run()
            asked += world.asked
            news += world.news
            upgrades += world.upgrades
            if let violation = world.violations.first {
                Issue.record(Comment(rawValue: violation))
                return
            }
        }
        #expect(news > 6000 && asked > news, "a run in which little happens shows nothing")
        #expect(upgrades > 2000)
    }

    @Test(arguments: [
        RecheckWorld.Fault.deafWhileAsking, .watchLater, .noGate, .deafWhileHanding,
    ]) func `a board whose law is broken is found out`(_ fault: RecheckWorld.Fault) throws {
        for seed in 0..<UInt64(2000) {
            var world = try RecheckWorld(seed: seed, fault: fault)
            try world.run()
            if !world.violations.isEmpty { return }
        }
        Issue.record("nobody noticed \(fault)")
    }
}
