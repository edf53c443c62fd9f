/// Why a store can't be opened or read, in sentences that name the file and what to do.
import CSQLite

package enum StoreError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The directory can't be made or used.
    case badDirectory(String, reason: String)
    case cannotOpen(String, reason: String)
    case inUse(String)
    /// A database of something else.
    case foreign(String, reason: String)
    /// Written by a later version.
    case newer(String, version: Int64, known: Int64)
    case damaged(String, reason: String)
    /// A pool, or an empty file, in the place of the one that is gone on with.
    case replaced(String)
    /// Another pool, where the one of this process is to go.
    case occupied(String)
    /// Reading or the first writing failed.
    case failed(String, reason: String)

    package var description: String {
        switch self {
        case .badDirectory(let path, let reason):
            "pool.store: \(path): \(reason); it has to be a directory that the user of the daemon may write to"
        case .cannotOpen(let path, let reason):
            "\(path) can't be opened: \(reason); let the daemon's user read and write it and its directory"
        case .inUse(let path):
            "\(path) is in use by another process; each daemon needs a pool.store of its own"
        case .foreign(let path, let reason):
            "\(path) is no pool: \(reason); name another directory, or set the file aside with --salvage"
        case .newer(let path, let version, let known):
            "\(path) has version \(version), and this program knows \(known); run the newer program, "
                + "or set the file aside with --salvage"
        case .damaged(let path, let reason):
            "\(path) is damaged: \(reason); restore it, or set it aside with --salvage and begin with an empty pool"
        case .replaced(let path):
            "\(path) is not the pool that was there before; "
                + "put that one back, or restart the daemon to begin with this one"
        case .occupied(let path):
            "\(path) has another pool already; name a directory without one, or move that file away"
        case .failed(let path, let reason):
            "\(path): \(reason)"
        }
    }

    /// Another file in its place would do: this one is at fault, and not its directory or another process.
    package var isOfTheFile: Bool {
        switch self {
        case .foreign, .newer, .damaged: true
        case .badDirectory, .cannotOpen, .inUse, .replaced, .occupied, .failed: false
        }
    }

    /// What SQLite said while a file was being opened, read for the first time or checked.
    init(_ error: DatabaseError, path: String) {
        switch error.primaryCode {
        case SQLITE_BUSY, SQLITE_LOCKED: self = .inUse(path)
        case SQLITE_NOTADB: self = .foreign(path, reason: error.message)
        case SQLITE_CORRUPT: self = .damaged(path, reason: error.message)
        case SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN, SQLITE_AUTH: self = .cannotOpen(path, reason: error.message)
        default: self = .failed(path, reason: "\(error)")
        }
    }
}
