import Foundation
import Polling
import Storage

/// A pool with its store, as the daemon's store thread runs them, in a directory of its own; with a clock by hand, and
/// with the whole truth of what was accepted beside it.
final class KeptPool {
    let limits: PoolLimits
    let durability: MessageStore.Durability
    let system: String?
    private(set) var directory: String
    /// nil between two openings alone: one file has one connection.
    private var opened: MessageStore?
    private(set) var pool: MessagePool
    private(set) var epoch: Epoch
    private(set) var mayHaveLost = false
    var now: Int64 = 1_000_000
    var boot = "boot-1"
    private var left = Departures()

    /// All that was ever accepted.
    struct Accepted {
        let id: UInt64
        let channel: ChannelName
        let payload: [UInt8]
    }
    private(set) var accepted: [Accepted] = []
    private(set) var deletions: [(channel: ChannelName, number: UInt64)] = []
    /// What was being written when a write failed last: it has happened or not, and nobody was told.
    private(set) var uncertain: [PoolPlan.Step] = []

    private static let worker = WorkerNumber(0)

    init(
        limits: PoolLimits = PoolLimits(), durability: MessageStore.Durability = .process, system: String? = nil
    ) throws {
        self.limits = limits
        self.durability = durability
        self.system = system
        directory = try Self.makeDirectory()
        (opened, pool, epoch) = try Self.open(directory, limits, durability, system, boot, now).parts
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    static func makeDirectory() throws -> String {
        var template = Array("/tmp/pollhold-store-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private struct Opened {
        let store: MessageStore
        let loaded: MessageStore.Loaded
        var parts: (MessageStore, MessagePool, Epoch) { (store, loaded.pool, loaded.epoch) }
    }

    private static func open(
        _ directory: String, _ limits: PoolLimits, _ durability: MessageStore.Durability, _ system: String?,
        _ boot: String, _ now: Int64
    ) throws -> Opened {
        let store = try MessageStore(try StoreFile(directory: directory), durability: durability, system: system)
        let loaded = try store.load(
            limits: limits, fresh: Epoch(random: .random(in: .min ... .max)), boot: boot,
            now: Moment(nanoseconds: now), wall: now + 1_000_000_000)
        return Opened(store: store, loaded: loaded)
    }

    // MARK: What the store's thread does

    private var store: MessageStore {
        get throws {
            guard let opened else { throw CocoaError(.fileNoSuchFile) }
            return opened
        }
    }

    /// - Throws: what the store said; then nothing has happened.
    @discardableResult
    func make(_ changes: [PoolChange]) throws -> [UInt64] {
        var plan = PoolPlan(lastNumber: pool.lastNumber)
        for change in changes { pool.add(change, to: &plan) }
        left.append(pool.takeDepartures())
        let store = try store
        if store.needsWriting(plan) {
            uncertain = plan.steps
            _ = try store.write(plan, left, wall: now + 1_000_000_000)
            uncertain = []
            left = Departures()
        }
        var numbers: [UInt64] = []
        for step in plan.steps {
            var calls: [WakeUpCall] = []
            let receipt = pool.carryOut(step, now: Moment(nanoseconds: now), calls: &calls)
            numbers.append(receipt.id)
            switch step {
            case .message(let item, let id, _):
                accepted.append(Accepted(id: id, channel: item.channel, payload: item.payload))
            case .deletion(let name, let number): deletions.append((name, number))
            case .repeated, .signal, .giveBack: break
            }
        }
        pool.checkInvariants()
        return numbers
    }

    func expire() { _ = pool.expire(now: Moment(nanoseconds: now), limit: .max) }

    func removeDeparted() throws {
        left.append(pool.takeDepartures())
        _ = try store.write(PoolPlan(lastNumber: pool.lastNumber), left, wall: now + 1_000_000_000)
        left = Departures()
    }

    /// A hold comes and goes: an entry that it made may leave the table.
    func holdBriefly(_ channels: [ChannelName]) {
        var table = HoldTable()
        let result = pool.lookUp(
            channels: channels, from: .now, limit: BatchLimit(messages: 1, bytes: 1), holdFor: Self.worker)
        guard case .nothing(let number, let ids) = result else { return }
        let hold = table.hold(
            exchange: 1, channels: ids, after: number, lasting: .seconds(1), now: Moment(nanoseconds: now))
        table.end(hold)
        if let withdrawals = table.takeWithdrawals() { pool.withdraw(withdrawals, by: Self.worker) }
    }

    /// As after every failure; that it may fail too is no matter.
    func makeRoom() {
        do { try store.makeRoom() } catch {}
    }

    // MARK: Ends

    /// The process ends as it should and another takes over.
    func restart() throws {
        try removeDeparted()
        try store.finish(lastNumber: pool.lastNumber, forgottenThrough: pool.forgottenThrough)
        try reopen()
    }

    /// The process ends as it should, and another one that has the pool from its memory writes all of it down: in
    /// another place, or over what there is.
    func move(elsewhere: Bool) throws {
        try removeDeparted()
        try store.finish(lastNumber: pool.lastNumber, forgottenThrough: pool.forgottenThrough)
        opened = nil
        var assembly = PoolAssembly(limits: limits, now: Moment(nanoseconds: now))
        for part in pool.parts(of: epoch) { assembly.add(part) }
        guard let whole = assembly.finish() else { throw CocoaError(.coderInvalidValue) }
        if elsewhere {
            try FileManager.default.removeItem(atPath: directory)
            directory = try Self.makeDirectory()
        }
        let store = try MessageStore(try StoreFile(directory: directory), durability: durability, system: system)
        pool = try store.fill(
            with: whole, of: epoch, now: Moment(nanoseconds: now), wall: now + 1_000_000_000
        ).pool
        try store.own(boot: boot)
        opened = store
        pool.checkInvariants()
    }

    /// The process is killed: what it had written is there, and nothing is done at its end.
    func kill() throws {
        let copy = try Self.makeDirectory()
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) {
            try FileManager.default.copyItem(atPath: directory + "/" + name, toPath: copy + "/" + name)
        }
        let old = directory
        directory = copy
        defer { try? FileManager.default.removeItem(atPath: old) }
        try reopen()
    }

    /// Opens what is there now. The connection of before must be dead to it.
    func reopen() throws {
        left = Departures()
        self.opened = nil
        let opened = try Self.open(directory, limits, durability, system, boot, now)
        (self.opened, pool, epoch) = opened.parts
        mayHaveLost = opened.loaded.mayHaveLost
        pool.checkInvariants()
    }

    // MARK: What a client is told

    struct Told: Equatable {
        var ids: [UInt64] = []
        var payloads: [[UInt8]] = []
        var gap = false
    }

    func told(_ channels: [ChannelName], after number: UInt64) -> Told {
        Self.told(&pool, channels, after: number)
    }

    static func told(_ pool: inout MessagePool, _ channels: [ChannelName], after number: UInt64) -> Told {
        let result = pool.lookUp(
            channels: channels, from: .after(number), limit: BatchLimit(messages: .max, bytes: .max), holdFor: nil)
        guard case .found(let found) = result else { return Told() }
        return Told(ids: found.messages.map(\.id), payloads: found.messages.map(\.payload), gap: found.gap)
    }
}
