/// The one row that says which pool this is and how far its numbers go.
import Polling

struct StoreHead {
    let epoch: Epoch
    /// No number above it has been given.
    let reserved: UInt64
    /// What channels lost of which nothing else is written.
    let forgotten: UInt64
    /// The run of the operating system that may hold commits which are not on the disk; empty: there are none.
    let boot: String

    /// Stands for a run that can't be told from another, and for a copy of a pool that goes on elsewhere.
    static let unknownBoot = "?"

    /// Whether all that was ever committed is there, in a run of the system that is named so.
    func isWhole(boot: String) -> Bool {
        self.boot.isEmpty || self.boot != Self.unknownBoot && self.boot == boot
    }

    init(epoch: Epoch, reserved: UInt64, forgotten: UInt64, boot: String) {
        self.epoch = epoch
        self.reserved = reserved
        self.forgotten = forgotten
        self.boot = boot
    }

    /// - Returns: nil for a store that has never been used.
    init?(_ database: Database) throws(DatabaseError) {
        let statement = try Statement(database, "SELECT epoch, reserved, forgotten, boot FROM pool")
        guard try statement.step() else { return nil }
        guard let epoch = Epoch(text: statement.bytes(0)), let reserved = UInt64(exactly: statement.integer(1)),
            let forgotten = UInt64(exactly: statement.integer(2))
        else { throw DatabaseError.damaged("the row of the table pool has values that none has") }
        self.init(
            epoch: epoch, reserved: reserved, forgotten: forgotten,
            boot: String(decoding: statement.bytes(3), as: UTF8.self))
    }

    func write(to database: Database) throws(DatabaseError) {
        let statement = try Statement(
            database,
            "INSERT OR REPLACE INTO pool (only, epoch, reserved, forgotten, boot) VALUES (1, ?, ?, ?, ?)")
        try statement.bind(text: epoch.text, at: 1)
        try statement.bind(Int64(clamping: reserved), at: 2)
        try statement.bind(Int64(clamping: forgotten), at: 3)
        try statement.bind(text: Array(boot.utf8), at: 4)
        try statement.run()
    }
}
