/// The pool as it is at the start: empty, or what its store has kept; and the store on its way to its thread.
import ConfigFile
import Gateway
import Glibc
import Logging
import Polling
import Reactor
import Storage

final class OpenedPool {
    let epoch: Epoch
    /// nil: the pool is in memory alone.
    let queue: StoreQueue?
    private var pool: MessagePool?
    private let store: Guarded<MessageStore?>
    private var thread: LoopThread?

    /// - Parameters:
    ///   - handed: the pool of the process before this one.
    ///   - salvage: a file that can't be used is set aside, and the pool is empty.
    init(
        _ configuration: Configuration.Pool, handed: HandedPool?, now: Moment, salvage: Bool, log: Logger
    ) throws {
        let fresh = Epoch(random: UInt64.random(in: .min ... .max))
        guard let directory = configuration.store else {
            if case .whole(let whole, let epoch)? = handed {
                (pool, self.epoch) = (whole, epoch)
            } else {
                (pool, epoch) = (MessagePool(limits: PoolLimits(of: configuration)), fresh)
            }
            queue = nil
            store = Guarded(nil)
            return
        }
        queue = try StoreQueue()
        let (opened, loaded) = try Self.open(
            configuration, directory, handed, fresh: fresh, now: now, salvage: salvage, log: log)
        if loaded.mayHaveLost {
            log.warning(
                """
                the machine went down while the pool was not synced, or it is a copy that an upgrade has left: \
                every cursor of before is told a gap
                """,
                metadata: ["file": "\(opened.file.path)"])
        }
        let isWritten = if case .whole? = handed { true } else { false }
        log.info(
            "the pool is \(isWritten ? "written to" : "read from") \(opened.file.path)",
            metadata: ["messages": "\(loaded.messagesCount)", "epoch": "\(loaded.epoch)"])
        pool = loaded.pool
        epoch = loaded.epoch
        store = Guarded(opened)
    }

    private static func open(
        _ configuration: Configuration.Pool, _ directory: String, _ handed: HandedPool?, fresh: Epoch, now: Moment,
        salvage: Bool, log: Logger
    ) throws(StoreError) -> (MessageStore, MessageStore.Loaded) {
        do {
            return try attempt(configuration, directory, handed, fresh: fresh, now: now)
        } catch {
            guard salvage, handed == nil, error.isOfTheFile else { throw error }
            let names = try StoreFile.setAside(directory: directory, stamp: WallTime.now.stamp)
            log.warning("the pool was set aside: \(error)", metadata: ["as": "\(names.joined(separator: ", "))"])
            return try attempt(configuration, directory, nil, fresh: fresh, now: now)
        }
    }

    /// - Parameter handed: nil: the file may have any pool, or none yet.
    private static func attempt(
        _ configuration: Configuration.Pool, _ directory: String, _ handed: HandedPool?, fresh: Epoch, now: Moment
    ) throws(StoreError) -> (MessageStore, MessageStore.Loaded) {
        var mark: PoolMark?
        if case .stored(let stored)? = handed { mark = stored }
        let store = try MessageStore(
            try StoreFile(directory: directory, mustExist: mark != nil),
            durability: configuration.sync == .full ? .machine : .process)
        let wall = WallTime.now.nanoseconds
        if case .whole(let pool, let epoch)? = handed {
            return (store, try store.fill(with: pool, of: epoch, now: now, wall: wall))
        }
        let loaded = try store.load(
            limits: PoolLimits(of: configuration), continuing: mark, fresh: fresh, boot: bootName, now: now, wall: wall)
        return (store, loaded)
    }

    /// Names the run of the operating system; empty where it can't be read.
    private static var bootName: String {
        let file = unsafe Glibc.open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        return String(decoding: bytes.prefix(max(0, count)).filter { $0 > 0x20 }, as: UTF8.self)
    }

    func takePool() -> MessagePool {
        guard let pool = pool.take() else { preconditionFailure("the pool is taken once, by the hub") }
        return pool
    }

    func startThread(hub: Hub, log: Logger) throws(SystemError) {
        guard let queue else { return }
        let store = store
        thread = try LoopThread(name: "store") { StoreThread.serve(store, hub: hub, queue: queue, log: log) }
    }

    /// Goes on with the store after `end`, as soon as it can be opened: until then its thread refuses what would have
    /// to be written. The pool is as it was then, and only its own file will do.
    func reopen(_ configuration: Configuration.Pool, hub: Hub, log: Logger) throws(SystemError) {
        guard let directory = configuration.store, let queue else { return }
        let mark = hub.withPool { $0.mark(of: hub.epoch) }
        queue.reopen()
        thread = try LoopThread(name: "store") {
            let store = StoreThread.reopen(hub: hub, queue: queue, log: log) { () throws(StoreError) -> MessageStore in
                try Self.attempt(
                    configuration, directory, .stored(mark), fresh: mark.epoch,
                    now: Moment(nanoseconds: EventLoop.monotonicNanoseconds())
                ).0
            }
            StoreThread.serve(Guarded(store), hub: hub, queue: queue, log: log)
        }
    }

    /// The other process has let go of the pool. To be called before anything is asked for.
    func own() { queue?.own(boot: Self.bootName) }

    /// The other process has the pool in another place. A copy here that could not be marked as one gets another name,
    /// for which no room is needed: whoever began with it would give numbers that clients have as cursors.
    func leave(_ directory: String, log: Logger) {
        guard let queue, queue.isLeft, !queue.isFinished else { return }
        do throws(StoreError) {
            let names = try StoreFile.setAside(directory: directory, stamp: WallTime.now.stamp)
            log.warning(
                "the pool's old place could not be marked as left, so its files have other names now",
                metadata: ["as": "\(names.joined(separator: ", "))"])
        } catch {
            log.error("an old copy of the pool is left; remove it before anybody begins with it: \(error)")
        }
    }

    /// All changes have been asked for: the thread makes them and closes the store.
    ///
    /// - Parameter isLeft: another process goes on with the pool in another place.
    func end(isLeft: Bool = false) {
        queue?.end(isLeft: isLeft)
        thread?.join()
        thread = nil
    }
}
