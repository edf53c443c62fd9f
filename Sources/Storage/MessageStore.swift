/// The pool in a file: what it takes to have the same pool again after the process has ended, however it ended.
///
/// Laws:
///  1. *A transaction holds either all of a plan or nothing.* What a publisher is told comes after its commit.
///  2. *A row is alive if its id is above what its channel has lost.* So a deletion writes one number; the rows go
///     later, with those of messages that left for other reasons, in the transaction that writes their losses.
///  3. *No number is given twice.* `reserved` in the file is at or above every number that anybody has seen; after a
///     crash the pool goes on above it. So a cursor never points past the newest number.
///  4. *What may have been lost is told.* A file that the system may not have written out when the machine went down
///     gets another epoch, and so every cursor of before becomes a gap.
///
/// `sync: os` is WAL with synchronous=NORMAL: a commit is in the system's hands, and nothing but a crash of the system
/// takes it back; the file stays whole even then, because the log is synced before it is copied over. OFF would save
/// only that sync, and could leave a file that is no database. `sync: full` is synchronous=FULL: each commit is synced.
///
/// The lock is exclusive and lasts as long as the connection. That keeps other processes out, and the index of the log
/// is in this process' memory, so that no full disk can hit a mapped page of it.
import CSQLite
package import Polling

package final class MessageStore {
    package enum Durability: Sendable {
        /// A commit survives the process.
        case process
        /// A commit survives the machine.
        case machine
    }

    /// Numbers that are reserved at a time: a transaction writes the reservation once for so many.
    static let reservedBlock: UInt64 = 65_536

    package let file: StoreFile
    private let database: Database
    /// No number above it has been given.
    private var reserved: UInt64 = 0
    /// It was filled with a pool that another process may go on with.
    private var isCopy = false
    private let statements: StoreStatements

    /// Opens or makes a store. Nothing has been read yet but what says that it is one.
    ///
    /// - Parameter system: a VFS of SQLite; nil: the operating system's.
    package init(_ file: StoreFile, durability: Durability, system: String? = nil) throws(StoreError) {
        self.file = file
        do throws(DatabaseError) {
            database = try Database(path: file.path, system: system)
            try database.execute("PRAGMA locking_mode=EXCLUSIVE")
            try database.execute("PRAGMA busy_timeout=0")
        } catch {
            throw StoreError(error, path: file.path)
        }
        let isEmpty = try Self.recognise(database, file.path)
        guard !isEmpty || !file.mustExist else { throw .replaced(file.path) }
        do throws(DatabaseError) {
            try database.execute("PRAGMA journal_mode=WAL")
            try database.execute("PRAGMA synchronous=FULL")
            // Pages of the log after which it is copied over: 16 MiB.
            try database.execute("PRAGMA wal_autocheckpoint=4096")
            // The log is cut to this size when it begins anew; it only grows beyond for a transaction that is larger.
            try database.execute("PRAGMA journal_size_limit=67108864")
            try database.execute("PRAGMA cache_size=-8192")
            try database.execute("PRAGMA temp_store=MEMORY")
            // Overwriting what was deleted would double what is written; the file is its owner's alone.
            try database.execute("PRAGMA secure_delete=OFF")
            try Self.makeTables(database)
            statements = try StoreStatements(database)
        } catch {
            throw StoreError(error, path: file.path)
        }
        self.durability = durability
    }

    private let durability: Durability

    /// - Returns: whether there is nothing in it.
    private static func recognise(_ database: Database, _ path: String) throws(StoreError) -> Bool {
        let application: Int64
        let version: Int64
        let tables: Int64
        do throws(DatabaseError) {
            application = try database.integer("PRAGMA application_id") ?? 0
            version = try database.integer("PRAGMA user_version") ?? 0
            tables = try database.integer("SELECT count(*) FROM sqlite_schema") ?? 0
        } catch {
            throw StoreError(error, path: path)
        }
        if application == 0, version == 0, tables == 0 { return true }
        guard application == StoreFile.applicationID else {
            throw .foreign(path, reason: "it is a database of another program")
        }
        guard version <= StoreFile.version else { throw .newer(path, version: version, known: StoreFile.version) }
        // An empty one whose making was cut off is made again; anything else has its tables.
        guard version == StoreFile.version || tables == 0 else {
            throw .damaged(path, reason: "it says version \(version), which there never was")
        }
        return tables == 0
    }

    /// In one transaction: a file that is there has all of them.
    private static func makeTables(_ database: Database) throws(DatabaseError) {
        guard try database.integer("PRAGMA user_version") == 0 else { return }
        try database.execute(
            """
            BEGIN IMMEDIATE;
            CREATE TABLE pool (
                only INTEGER PRIMARY KEY CHECK (only = 1), epoch TEXT NOT NULL, reserved INTEGER NOT NULL,
                forgotten INTEGER NOT NULL, boot TEXT NOT NULL) STRICT;
            CREATE TABLE messages (
                id INTEGER PRIMARY KEY, channel TEXT NOT NULL, data BLOB NOT NULL, kind INTEGER NOT NULL,
                content_type BLOB, published INTEGER NOT NULL, lost INTEGER NOT NULL) STRICT;
            CREATE TABLE losses (channel TEXT PRIMARY KEY, lost INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE taken (channel TEXT PRIMARY KEY, through INTEGER NOT NULL) STRICT, WITHOUT ROWID;
            CREATE TABLE keys (id INTEGER PRIMARY KEY, key BLOB NOT NULL, published INTEGER NOT NULL) STRICT;
            PRAGMA application_id = 1349273700;
            PRAGMA user_version = 1;
            COMMIT
            """)
    }

    // MARK: Loading

    /// What was found in a store.
    package struct Loaded {
        package var pool: MessagePool
        package let epoch: Epoch
        package let messagesCount: Int
        /// The machine went down while commits were not synced: some may be missing, and so the epoch is another.
        package let mayHaveLost: Bool
    }

    /// Reads everything and makes the store ready for writing.
    ///
    /// - Parameters:
    ///   - mark: of the pool that is gone on with; nil: whichever it is.
    ///   - fresh: the epoch of a store that has none, or can't keep its own.
    ///   - boot: names the run of the operating system; empty: it can't be told from another.
    ///   - wall: nanoseconds since 1970, at `now`.
    package func load(
        limits: PoolLimits, continuing mark: PoolMark? = nil, fresh: Epoch, boot: String, now: Moment, wall: Int64
    ) throws(StoreError) -> Loaded {
        let head = try checkedHead()
        if let mark, head?.epoch != mark.epoch || head?.reserved ?? 0 < mark.number { throw .replaced(file.path) }
        do throws(DatabaseError) {
            // Who goes on with a pool has it from a process that has been there all the time.
            let mayHaveLost = mark == nil && (head.map { !$0.isWhole(boot: boot) } ?? false)
            let epoch = mayHaveLost ? fresh : head?.epoch ?? fresh
            let reader = StoreReader(database, now: now, wall: wall)
            let restored = try reader.read(limits: limits, lastNumber: head?.reserved ?? 0)
            var restoring = restored
            let pool = restoring.finish(forgottenThrough: head?.forgotten ?? 0)
            try begin(pool, epoch, boot: unsynced(boot))
            try loosen()
            return Loaded(
                pool: pool, epoch: epoch, messagesCount: restoring.messagesCount, mayHaveLost: mayHaveLost)
        } catch {
            throw StoreError(error, path: file.path)
        }
    }

    /// Writes a pool that another process has in the place of an earlier copy of it, or of nothing. All or nothing.
    ///
    /// Until `own` it is a copy: whoever loads it takes another epoch, since the other process may have gone on.
    ///
    /// - Parameter wall: nanoseconds since 1970, at `now`.
    package func fill(
        with pool: MessagePool, of epoch: Epoch, now: Moment, wall: Int64
    ) throws(StoreError) -> Loaded {
        if let head = try checkedHead(), head.epoch != epoch { throw .occupied(file.path) }
        do throws(DatabaseError) {
            try statements.begin.run()
            try database.execute("DELETE FROM messages; DELETE FROM losses; DELETE FROM taken; DELETE FROM keys")
            for part in pool.parts(of: epoch) {
                try statements.insert(part) { moment in wall - (now.nanoseconds - moment.nanoseconds) }
            }
            try begin(pool, epoch, boot: StoreHead.unknownBoot)
            try statements.commit.run()
            isCopy = true
        } catch {
            rollBack()
            throw StoreError(error, path: file.path)
        }
        var pool = pool
        pool.beginDepartures()
        return Loaded(pool: pool, epoch: epoch, messagesCount: pool.figures.messages, mayHaveLost: false)
    }

    /// The pool is this process' now, and nobody else's: what it was filled with is a copy no more.
    ///
    /// - Parameter boot: as for `load`.
    package func own(boot: String) throws(DatabaseError) {
        isCopy = false
        guard let head = try StoreHead(database) else { return }
        try StoreHead(
            epoch: head.epoch, reserved: head.reserved, forgotten: head.forgotten, boot: unsynced(boot)
        ).write(to: database)
        try loosen()
    }

    /// Writes down which pool it is, and that it is being written to.
    private func begin(_ pool: MessagePool, _ epoch: Epoch, boot: String) throws(DatabaseError) {
        reserved = pool.lastNumber + Self.reservedBlock
        try StoreHead(epoch: epoch, reserved: reserved, forgotten: pool.forgottenThrough, boot: boot)
            .write(to: database)
    }

    /// The run of the system whose crash would take commits back; empty: none does.
    private func unsynced(_ boot: String) -> String {
        durability == .machine ? "" : boot.isEmpty ? StoreHead.unknownBoot : boot
    }

    /// What was written before it was synced: from here on a crash of the machine is noticed.
    private func loosen() throws(DatabaseError) {
        if durability == .process { try database.execute("PRAGMA synchronous=NORMAL") }
    }

    private func checkedHead() throws(StoreError) -> StoreHead? {
        do throws(DatabaseError) {
            if let flaw = try database.text("PRAGMA quick_check(1)"), flaw != "ok" {
                throw DatabaseError(action: "check", code: SQLITE_CORRUPT, message: flaw)
            }
            return try StoreHead(database)
        } catch {
            throw StoreError(error, path: file.path)
        }
    }

    // MARK: Writing

    /// Writes a plan and takes out what has left, all or nothing.
    ///
    /// - Parameter wall: nanoseconds since 1970.
    /// - Returns: rows that were written, changed or removed.
    package func write(_ plan: PoolPlan, _ departures: Departures, wall: Int64) throws(DatabaseError) -> Int {
        let reservation = plan.lastNumber > reserved ? plan.lastNumber + Self.reservedBlock : nil
        do throws(DatabaseError) {
            try statements.begin.run()
            var rows = try statements.remove(departures)
            for step in plan.steps { rows += try statements.insert(step, wall: wall) }
            if let reservation { try statements.reserve(reservation) }
            try statements.commit.run()
            if let reservation { reserved = reservation }
            return rows
        } catch {
            rollBack()
            throw error
        }
    }

    /// Whether a plan has something that must be written before it is carried out.
    package func needsWriting(_ plan: PoolPlan) -> Bool {
        plan.lastNumber > reserved
            || plan.steps.contains { step in
                switch step {
                case .message, .deletion: true
                case .signal, .repeated, .giveBack: false
                }
            }
    }

    /// Copies the log over to the file as far as it goes, so that the log's room is used again. To be tried when there
    /// is no room.
    package func makeRoom() throws(DatabaseError) { try database.execute("PRAGMA wal_checkpoint(PASSIVE)") }

    /// Writes down that nothing is under way and copies the log over, synced. The store is not used afterwards.
    ///
    /// - Parameter isLeft: the pool goes on elsewhere, and this is a copy: whoever loads it takes another epoch, else
    ///   it would give numbers that clients have as cursors of the other one.
    package func finish(
        lastNumber: UInt64, forgottenThrough: UInt64, isLeft: Bool = false
    ) throws(DatabaseError) {
        try database.execute("PRAGMA synchronous=FULL")
        guard let head = try StoreHead(database) else { return }
        let boot = isLeft || isCopy ? StoreHead.unknownBoot : ""
        try StoreHead(epoch: head.epoch, reserved: lastNumber, forgotten: forgottenThrough, boot: boot)
            .write(to: database)
        try database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }

    /// An error may have ended the transaction already; what is left of it is given up.
    private func rollBack() {
        guard database.isInTransaction else { return }
        do throws(DatabaseError) {
            try statements.rollback.run()
        } catch {
            // In WAL mode a rollback only forgets. If even that is refused, the next BEGIN is, and says so.
        }
    }
}
