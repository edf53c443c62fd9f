/// Other listeners by a reload: all that is new is bound before anything old is let go of. Connections that came in by
/// a listener that has gone stay; a socket whose address stays is the same socket, so nobody is turned away meanwhile.
/// One that the service manager has given is not closed: `GivenSockets` says why.
import ConfigFile
import Glibc
import Logging
import Reactor

extension ListeningSockets {
    /// What a configuration listens on, and what of it was bound for it.
    private struct Successors {
        var clients: [(sockets: [ListeningSocket], listen: Configuration.Listen)] = []
        var control: ListeningSocket?
        var admin: ListeningSocket?
        var bound: [ListeningSocket] = []
    }

    /// Listens by another configuration, or fails and leaves all as it was.
    ///
    /// - Returns: whether workers have to listen on their shares anew.
    func change(to fresh: Configuration, log: Logger) throws(Server.StartError) -> Bool {
        var successors = Successors()
        defer { bound = [] }
        do throws(Server.StartError) {
            try bind(fresh, &successors)
            try changeRights(to: fresh.control)
        } catch {
            for socket in successors.bound { socket.removeFile() }
            throw error
        }
        let haveChanged = fresh.listen != configuration.listen || !isSame(successors)
        let previous = clients.compactMap(\.sockets.first) + [control, admin].compactMap { $0 }
        let present =
            successors.clients.compactMap(\.sockets.first)
            + [successors.control, successors.admin].compactMap { $0 }
        (clients, control, admin) = (successors.clients, successors.control, successors.admin)
        configuration = fresh
        for socket in previous where !present.contains(where: { $0 === socket }) {
            socket.removeFile()
            log.info("no longer listening on \(socket.address)")
            guard socket.isAdopted else { continue }
            log.warning("who connects to \(socket.address) waits: the service manager still listens there")
        }
        for socket in present where !previous.contains(where: { $0 === socket }) {
            log.info("listening on \(socket.address)")
        }
        warnOfRights(log: log)
        return haveChanged
    }

    private func isSame(_ successors: Successors) -> Bool {
        successors.bound.isEmpty && successors.control === control && successors.admin === admin
    }

    private func bind(_ fresh: Configuration, _ successors: inout Successors) throws(Server.StartError) {
        var left = clients
        for listen in fresh.listen {
            if let index = left.firstIndex(where: { $0.listen.address == listen.address }) {
                successors.clients.append((left.remove(at: index).sockets, listen))
                continue
            }
            let sockets = try sockets(at: listen.address, workers: fresh.workers)
            successors.bound += sockets
            successors.clients.append((sockets, listen))
        }
        if let wanted = fresh.control {
            if wanted.socket == configuration.control?.socket {
                successors.control = control
            } else {
                successors.control = bound(try socket(for: wanted), &successors)
            }
        }
        if let wanted = fresh.admin {
            if wanted == configuration.admin {
                successors.admin = admin
            } else {
                successors.admin = bound(try sockets(at: wanted, workers: 1)[0], &successors)
            }
        }
    }

    private func bound(_ socket: ListeningSocket, _ successors: inout Successors) -> ListeningSocket {
        successors.bound.append(socket)
        return socket
    }

    /// Who may open the control socket, where its path stays and it is ours.
    private func changeRights(to fresh: Configuration.Control?) throws(Server.StartError) {
        guard let old = configuration.control, let fresh, old.socket == fresh.socket,
            (old.mode, old.owner, old.group) != (fresh.mode, fresh.owner, fresh.group), control?.isAdopted == false
        else { return }
        do throws(Server.StartError) {
            try setRights(of: fresh)
        } catch {
            do throws(SystemError) {
                try Privileges.setMode(fresh.socket, old.mode)
            } catch {
                // Its file is no longer ours; then its mode is not either.
            }
            throw error
        }
    }

    /// Gives the control socket's file the mode, owner and group of a configuration.
    ///
    /// - Parameter kept: what it has where the configuration names none; nil: this process' own.
    func setRights(
        of control: Configuration.Control, keeping kept: Privileges.OfFile? = nil
    ) throws(Server.StartError) {
        do {
            let owner = try control.owner.map { try Privileges.userID($0).user } ?? kept?.owner ?? geteuid()
            let group = try control.group.map { try Privileges.groupID($0) } ?? kept?.group ?? getegid()
            let wanted = Privileges.OfFile(mode: control.mode, owner: owner, group: group)
            if Privileges.ofFile(control.socket) == wanted { return }
            try Privileges.setMode(control.socket, control.mode)
            try Privileges.give(control.socket, owner: owner, group: group)
        } catch {
            throw Server.StartError(description: "can't change the rights of \(control.socket): \(error)")
        }
    }
}
