/// Users and groups by name, and giving up root's rights once the sockets are bound.
import Glibc
import Reactor

enum Privileges {
    /// A name that the system doesn't know.
    struct UnknownName: Error, CustomStringConvertible {
        let kind: String
        let name: String
        var description: String { "there is no \(kind) named \(name)" }
    }

    /// Only root becomes another user.
    struct NotRoot: Error, CustomStringConvertible {
        let user: String
        var description: String { "this process runs as another user already; it takes a restart" }
    }

    static func userID(_ name: String) throws(UnknownName) -> (user: uid_t, group: gid_t) {
        if let number = uid_t(name) { return (number, gid_t(number)) }
        guard let entry = unsafe getpwnam(name) else { throw UnknownName(kind: "user", name: name) }
        return unsafe (entry.pointee.pw_uid, entry.pointee.pw_gid)
    }

    static func groupID(_ name: String) throws(UnknownName) -> gid_t {
        if let number = gid_t(name) { return number }
        guard let entry = unsafe getgrnam(name) else { throw UnknownName(kind: "group", name: name) }
        return unsafe entry.pointee.gr_gid
    }

    /// Gives a file to an owner and a group; nil leaves what it has.
    static func give(_ path: String, owner: uid_t?, group: gid_t?) throws(SystemError) {
        guard owner != nil || group != nil else { return }
        guard unsafe chown(path, owner ?? uid_t.max, group ?? gid_t.max) == 0 else { throw SystemError("chown") }
    }

    /// - Parameter mode: permission bits.
    static func setMode(_ path: String, _ mode: UInt32) throws(SystemError) {
        guard unsafe chmod(path, mode) == 0 else { throw SystemError("chmod") }
    }

    /// Who may do what with a file.
    struct OfFile: Equatable {
        /// Permission bits.
        let mode: UInt32
        let owner: uid_t
        let group: gid_t
    }

    /// nil: there is none.
    static func ofFile(_ path: String) -> OfFile? {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return nil }
        return OfFile(mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid)
    }

    /// Becomes `user` for good: groups first, since only root may set them.
    static func become(user: uid_t, group: gid_t) throws(SystemError) {
        guard geteuid() == 0 else { return }
        var groups = [group]
        guard unsafe setgroups(1, &groups) == 0 else { throw SystemError("setgroups") }
        guard setgid(group) == 0 else { throw SystemError("setgid") }
        guard setuid(user) == 0 else { throw SystemError("setuid") }
    }
}
