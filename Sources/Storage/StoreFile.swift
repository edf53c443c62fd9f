/// Where a store's files are, and what is done with them before SQLite sees them.
import Glibc

package struct StoreFile: Sendable {
    package let path: String
    /// A pool is there already, and none is made in its place.
    let mustExist: Bool

    /// What stands in a pool's header, so that `file` and other programs know it: "PlHd".
    static let applicationID: Int64 = 0x506C_4864
    /// The layout of the tables.
    static let version: Int64 = 1

    /// Makes the directory if there is none, for its owner alone, and the file likewise: messages are private.
    ///
    /// - Parameter mustExist: nothing is made.
    package init(directory: String, mustExist: Bool = false) throws(StoreError) {
        path = directory + "/pool.sqlite"
        self.mustExist = mustExist
        if !mustExist, unsafe mkdir(directory, 0o700) != 0, errno != EEXIST {
            throw .badDirectory(directory, reason: Self.reason)
        }
        var status = stat()
        guard unsafe stat(directory, &status) == 0 else { throw .badDirectory(directory, reason: Self.reason) }
        guard status.st_mode & S_IFMT == S_IFDIR else { throw .badDirectory(directory, reason: "it is no directory") }
        // SQLite gives its other files the mode of this one.
        let descriptor = unsafe open(path, O_RDWR | (mustExist ? 0 : O_CREAT) | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .cannotOpen(path, reason: Self.reason) }
        defer { close(descriptor) }
        guard unsafe fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw .cannotOpen(path, reason: "it is no regular file")
        }
    }

    /// Whether two directories are one, by whatever names.
    package static func isSame(_ one: String, _ other: String) -> Bool {
        if one == other { return true }
        var (first, second) = (stat(), stat())
        guard unsafe stat(one, &first) == 0, unsafe stat(other, &second) == 0 else { return false }
        return first.st_dev == second.st_dev && first.st_ino == second.st_ino
    }

    /// Gives a directory's store other names, so that nothing of it is lost and nothing is in the way.
    ///
    /// - Parameter stamp: e.g. a time; it goes to the names' end.
    /// - Returns: the new names.
    package static func setAside(directory: String, stamp: String) throws(StoreError) -> [String] {
        var names: [String] = []
        // The log first: a file without its log is older than it was, a log without its file is nothing.
        for suffix in ["-wal", "-journal", "-shm", ""] {
            let old = directory + "/pool.sqlite" + suffix
            let new = directory + "/pool.sqlite." + stamp + suffix
            if unsafe rename(old, new) == 0 {
                names.append(new)
            } else if errno != ENOENT {
                throw .cannotOpen(old, reason: reason)
            }
        }
        return names
    }

    /// Bytes of the file and of its log.
    package var bytes: Int {
        var sum = 0
        for suffix in ["", "-wal"] {
            var status = stat()
            if unsafe stat(path + suffix, &status) == 0 { sum += Int(status.st_size) }
        }
        return sum
    }

    private static var reason: String { unsafe String(cString: strerror(errno)) }
}
