import Gateway
import Testing

struct MemoryPressureTests {
    @Test func `memory is short from the limit on, until a tenth of it is free`() {
        var memory = MemoryPressure()
        for (bytes, isShort, turns) in [
            (99, false, false), (100, true, true), (150, true, false), (91, true, false), (90, true, false),
            (89, false, true), (99, false, false),
        ] {
            let hasTurned = memory.measured(bytes, limit: 100)
            #expect(memory.isShort == isShort, "\(bytes)")
            #expect(hasTurned == turns, "\(bytes)")
        }
    }

    @Test func `a limit that a reload takes away ends it`() {
        var memory = MemoryPressure()
        _ = memory.measured(100, limit: 100)
        let hasTurned = memory.measured(100, limit: nil)
        #expect(hasTurned)
        #expect(!memory.isShort)
    }
}
