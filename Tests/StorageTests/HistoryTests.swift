import CFaultyDisk
import CSQLite
import Foundation
import Polling
import Storage
import Testing

/// Random histories of a pool with a store: whatever ends the process, the pool that comes after it tells every client
/// what the one before would have told it.
///
/// Serialized: the faulty disk is one for the process.
@Suite(.serialized)
struct HistoryTests {
    static let runs = 30

    @Test func `a pool that is killed or ends comes back as it was, in every random history`() throws {
        let first = UInt64.random(in: 0..<1 << 40)
        #expect(faulty_disk_register() == SQLITE_OK)
        for seed in first..<first + UInt64(Self.runs) {
            // The faulty disk is a well one here, and quicker at syncing than any.
            let history = try History(
                seed: seed, durability: seed % 2 == 0 ? .process : .machine, system: FAULTY_DISK_NAME)
            try history.run()
        }
    }

    @Test func `what was accepted outlives a crash in the middle of any write`() throws {
        #expect(faulty_disk_register() == SQLITE_OK)
        let first = UInt64.random(in: 0..<1 << 40)
        var crashes = 0
        for seed in first..<first + UInt64(Self.runs) {
            let history = try History(seed: seed, durability: .process, system: FAULTY_DISK_NAME)
            crashes += try history.runUntilCrash(losingPower: false)
        }
        #expect(crashes > Self.runs / 2, "seed \(first)")
    }

    @Test func `with full sync what was accepted outlives a power cut, however much of unsynced writes it leaves`()
        throws
    {
        #expect(faulty_disk_register() == SQLITE_OK)
        let first = UInt64.random(in: 0..<1 << 40)
        var crashes = 0
        for seed in first..<first + UInt64(Self.runs) {
            let history = try History(seed: seed, durability: .machine, system: FAULTY_DISK_NAME)
            crashes += try history.runUntilCrash(losingPower: true)
        }
        #expect(crashes > Self.runs / 2, "seed \(first)")
    }

    @Test func `without it a power cut leaves a whole file, and every cursor of before is foreign to it`() throws {
        #expect(faulty_disk_register() == SQLITE_OK)
        let first = UInt64.random(in: 0..<1 << 40)
        var crashes = 0
        for seed in first..<first + UInt64(Self.runs) {
            let history = try History(seed: seed, durability: .process, system: FAULTY_DISK_NAME)
            let epoch = history.kept.epoch
            crashes += try history.runUntilCrash(losingPower: true)
            #expect(history.kept.mayHaveLost && history.kept.epoch != epoch, "seed \(seed)")
        }
        #expect(crashes > Self.runs / 2, "seed \(first)")
    }

    @Test func `a disk that fails refuses publishes, loses nothing, and is used again when it is well`() throws {
        #expect(faulty_disk_register() == SQLITE_OK)
        let first = UInt64.random(in: 0..<1 << 40)
        var refusals = 0
        for seed in first..<first + UInt64(Self.runs) {
            let history = try History(seed: seed, durability: .machine, system: FAULTY_DISK_NAME)
            refusals += try history.runWithFaults()
        }
        #expect(refusals > Self.runs, "seed \(first)")
    }

    @Test func `a copy whose owner can't say so at first is its own by the end all the same`() throws {
        #expect(faulty_disk_register() == SQLITE_OK)
        faulty_disk_heal()
        let directory = try KeptPool.makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let (now, epoch) = (Moment(nanoseconds: 0), Epoch(random: 1))
        func store() throws -> MessageStore {
            try MessageStore(
                try StoreFile(directory: directory), durability: .process, system: FAULTY_DISK_NAME)
        }
        do {
            let store = try store()
            _ = try store.fill(with: MessagePool(limits: PoolLimits()), of: epoch, now: now, wall: 0)
            faulty_disk_begin(faulty_disk_bad_write, 0)
            #expect(throws: DatabaseError.self) { try store.own(boot: "b") }
            faulty_disk_heal()
            try store.finish(lastNumber: 0, forgottenThrough: 0)
        }
        let loaded = try store().load(
            limits: PoolLimits(), fresh: Epoch(random: 2), boot: "b", now: now, wall: 0)
        #expect(loaded.epoch == epoch && !loaded.mayHaveLost)
    }
}

private final class History {
    let seed: UInt64
    var random: Seeded
    let kept: KeptPool
    let names: [ChannelName]
    /// A channel that is only signalled: what such a one lost is not written, so it may be told a gap too many.
    let signalled: ChannelName

    init(seed: UInt64, durability: MessageStore.Durability, system: String? = nil) throws {
        self.seed = seed
        random = Seeded(state: seed)
        let limits = PoolLimits(
            messagesPerChannel: .random(in: 1...6, using: &random),
            age: .nanoseconds(Int64.random(in: 50...400, using: &random)),
            memoryBytes: .random(in: 3000...9000, using: &random),
            // Fewer than there are names, or enough for all: what is forgotten for want of room may be told once more.
            channels: Bool.random(using: &random) ? .random(in: 1...4, using: &random) : 10,
            idempotencyKeys: .random(in: 0...3, using: &random))
        if system != nil { faulty_disk_heal() }
        kept = try KeptPool(limits: limits, durability: durability, system: system)
        signalled = try ChannelName(Array("s".utf8).span)
        names = try (0..<6).map { try ChannelName(Array("c\($0)".utf8).span) }
    }

    // MARK: Courses

    func run() throws {
        for _ in 0..<120 {
            try step()
            switch Int.random(in: 0..<30, using: &random) {
            case 0: try comeBack { try kept.kill() }
            case 1: try comeBack { try kept.restart() }
            case 2: try comeBack { try kept.move(elsewhere: .random(using: &random)) }
            default: break
            }
        }
        try comeBack { try kept.kill() }
    }

    /// - Returns: 1 if a crash came before the end of the history.
    func runUntilCrash(losingPower: Bool) throws -> Int {
        faulty_disk_begin(faulty_disk_crash, .random(in: 1...400, using: &random))
        var count = 0
        do {
            for _ in 0..<200 { try step() }
        } catch is DatabaseError {
            count = 1
        }
        // In either case the process is gone now: its writes of the end are not done.
        faulty_disk_end_process()
        if losingPower {
            faulty_disk_lose_power(UInt32(truncatingIfNeeded: seed))
            kept.boot = "boot-2"
        }
        let old = kept.pool
        faulty_disk_heal()
        try kept.kill()
        if losingPower, kept.durability == .process { return count }
        check(old)
        return count
    }

    /// - Returns: how many changes were refused.
    func runWithFaults() throws -> Int {
        var refusals = 0
        for _ in 0..<6 {
            let kinds = [faulty_disk_full, faulty_disk_bad_write, faulty_disk_bad_sync]
            let kind = kinds.randomElement(using: &random) ?? faulty_disk_full
            faulty_disk_begin(kind, .random(in: 0...30, using: &random))
            for _ in 0..<20 {
                do {
                    try step()
                } catch is DatabaseError {
                    refusals += 1
                    kept.makeRoom()
                }
            }
            faulty_disk_heal()
            for _ in 0..<5 { try step() }
        }
        try comeBack { try kept.kill() }
        return refusals
    }

    // MARK: Steps

    private func step() throws {
        kept.now += .random(in: 0...10, using: &random)
        switch Int.random(in: 0..<12, using: &random) {
        case 0...6: try kept.make((0..<Int.random(in: 1...3, using: &random)).map { _ in change() })
        case 7: try kept.make([.delete(names.randomElement(using: &random) ?? names[0])])
        case 8: try kept.make([.signal(signalled)])
        case 9: kept.expire()
        case 10: kept.holdBriefly(pick())
        default: try kept.removeDeparted()
        }
    }

    private func change() -> PoolChange {
        if Int.random(in: 0..<10, using: &random) == 0 {
            return .delete(names.randomElement(using: &random) ?? names[0])
        }
        return .publish(
            (0..<Int.random(in: 1...3, using: &random)).map { _ in
                let isKeyed = Int.random(in: 0..<4, using: &random) == 0
                return PublishItem(
                    channel: names.randomElement(using: &random) ?? names[0],
                    payload: (0..<Int.random(in: 0...600, using: &random)).map { _ in
                        .random(in: 0...255, using: &random)
                    },
                    kind: .binary, contentType: isKeyed ? Array("image/png".utf8) : nil,
                    key: isKeyed ? [.random(in: 0...5, using: &random)] : nil)
            })
    }

    private func pick() -> [ChannelName] {
        Array(names.shuffled(using: &random).prefix(.random(in: 1...3, using: &random)))
    }

    // MARK: Comparing

    private func comeBack(_ end: () throws -> Void) throws {
        let (old, epoch) = (kept.pool, kept.epoch)
        try end()
        #expect(kept.epoch == epoch && !kept.mayHaveLost, "seed \(seed): the epoch goes on")
        check(old)
    }

    /// What the pool tells now, against what the one before told and against the whole truth.
    private func check(_ old: MessagePool) {
        var old = old
        #expect(kept.pool.lastNumber >= old.lastNumber, "seed \(seed): no number is given twice")
        for _ in 0..<30 {
            let channels = pick()
            let after = UInt64.random(in: 0...old.lastNumber, using: &random)
            let before = KeptPool.told(&old, channels, after: after)
            let now = kept.told(channels, after: after)
            let whole = kept.accepted.filter { $0.id > after && channels.contains($0.channel) }
            let isDeleted = kept.deletions.contains { $0.number > after && channels.contains($0.channel) }
            let there = Set(now.ids)
            let uncertain = kept.uncertain.compactMap { step in
                if case .message(_, let id, _) = step { id } else { nil }
            }
            #expect(now.ids == now.ids.sorted() && there.count == now.ids.count, "seed \(seed): in order, each once")
            let isCertain = kept.uncertain.isEmpty
            #expect(
                Set(before.ids).isSubset(of: there) || !isCertain && now.gap,
                "seed \(seed): \(before.ids) have become \(now.ids)")
            #expect(there.isSubset(of: whole.map(\.id) + uncertain), "seed \(seed): only what was accepted")
            let isComplete = Set(whole.map(\.id)).isSubset(of: there) && !isDeleted
            #expect(isComplete || now.gap, "seed \(seed): after \(after) something is missing and no gap is told")
            // A deletion, or what a message displaced, may have been among what nobody was told of.
            let mayTellMore = !isCertain || kept.limits.channels < names.count
            #expect(
                before.gap || !now.gap || mayTellMore, "seed \(seed): after \(after) a gap is told that was none before"
            )
            let payloads = Dictionary(uniqueKeysWithValues: whole.map { ($0.id, $0.payload) })
            #expect(
                zip(now.ids, now.payloads).allSatisfy { uncertain.contains($0) || payloads[$0] == $1 },
                "seed \(seed): the bytes are the same")
        }
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
