import FuzzTargets
import Testing

/// The laws of the fuzz targets on all that they begin with and all that they found. Finding more takes `make fuzz`.
struct FuzzTargetsTests {
    @Test(arguments: FuzzTarget.allCases) func `every case and everything found keeps the laws`(target: FuzzTarget) {
        #expect(target.seeds.count >= 10)
        for seed in target.seeds {
            #expect(throws: Never.self, "\(String(decoding: seed, as: UTF8.self))") { try target.check(seed) }
        }
        for (name, bytes) in target.corpus {
            #expect(throws: Never.self, "\(name)") { try target.check(bytes) }
        }
    }
}
