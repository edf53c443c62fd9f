/// Everything that the daemon listens on, bound before threads start and rights are given up.
///
/// An address of TCP is bound once per worker, and the system spreads connections over them; a Unix socket is bound
/// once and accepted from by all workers, and so is a socket that the service manager gives.
import ConfigFile
import Gateway
import Glibc
import Logging
import Reactor

final class ListeningSockets {
    /// What one worker listens on.
    struct Share: Sendable {
        let clients: [(socket: ListeningSocket, listen: Configuration.Listen)]
        let control: ListeningSocket?
        let admin: ListeningSocket?
    }

    var clients: [(sockets: [ListeningSocket], listen: Configuration.Listen)]
    var control: ListeningSocket?
    /// One for all workers, so that one which is stuck does not keep questions to itself.
    var admin: ListeningSocket?
    var configuration: Configuration
    private var given: GivenSockets
    /// What was bound here and not by the process before this one, up to where it is served.
    var bound: [ListeningSocket] = []
    /// Of the process before this one, until a listener has them.
    private var lent: [LentSocket]
    /// Another process listened before this one.
    private let isReplacing: Bool
    /// What has been told of the files of our Unix sockets, by path.
    private var told: [String: SocketFile.State] = [:]

    /// - Parameters:
    ///   - given: what the service manager has bound.
    ///   - lent: what the process before this one listens on.
    init(
        _ configuration: Configuration, given: GivenSockets, lent: [LentSocket]
    ) throws(Server.StartError) {
        self.configuration = configuration
        self.given = given
        isReplacing = !lent.isEmpty
        self.lent = lent.filter { !$0.socket.isAdopted }
        for one in lent where one.socket.isAdopted { self.given.keep(one.socket) }
        clients = []
        do throws(Server.StartError) {
            for listen in configuration.listen {
                clients.append((try sockets(at: listen.address, workers: configuration.workers), listen))
            }
            control = try configuration.control.map { wanted throws(Server.StartError) in try socket(for: wanted) }
            admin = try configuration.admin.map { address throws(Server.StartError) in
                try sockets(at: address, workers: 1)[0]
            }
            try giveUpRights()
        } catch {
            giveUp()
            throw error
        }
    }

    /// It will not be served: the files of what was bound here go.
    func giveUp() {
        for socket in bound { socket.removeFile() }
        bound = []
    }

    /// What it listens on, with the ports that the system chose, in sentences.
    var descriptions: [String] {
        func sentence(_ beginning: String, _ socket: ListeningSocket, _ place: String) -> String {
            "\(beginning) \(place)\(socket.isAdopted ? ", given by the service manager" : "")"
        }
        var sentences = clients.compactMap(\.sockets.first).map { sentence("listening on", $0, "\($0.address)") }
        if let admin { sentences.append(sentence("health and metrics at", admin, "\(admin.address)")) }
        if let control, case .unix(let path) = control.address {
            sentences.append(sentence("control socket at", control, path))
        }
        return sentences
    }

    /// The service manager has made the control socket as its own unit says.
    func warnOfRights(log: Logger) {
        guard let control, control.isAdopted, let wanted = configuration.control,
            wanted.owner != nil || wanted.group != nil
        else { return }
        log.warning("control.owner and control.group count for nothing: the service manager gives the control socket")
    }

    func share(of worker: Int) -> Share {
        var own: [(socket: ListeningSocket, listen: Configuration.Listen)] = []
        for (sockets, listen) in clients {
            own.append((sockets[min(worker, sockets.count - 1)], listen))
            // The service manager may give more sockets than there are workers, and none may be left to nobody.
            for index in stride(from: worker + configuration.workers, to: sockets.count, by: configuration.workers) {
                own.append((sockets[index], listen))
            }
        }
        return Share(clients: own, control: control, admin: admin)
    }

    // MARK: Sockets by address

    /// What the service manager gives for an address, or else what is bound.
    func sockets(at address: ListenAddress, workers: Int) throws(Server.StartError) -> [ListeningSocket] {
        if let sockets = given[address] ?? takeLent("\(address)") { return sockets }
        let sockets = try Self.bind(address, workers: workers)
        bound += sockets
        return sockets
    }

    func socket(for control: Configuration.Control) throws(Server.StartError) -> ListeningSocket {
        let address = ListenAddress.unix(path: control.socket)
        if let socket = given[address]?.first { return socket }
        if let socket = takeLent("\(address)")?.first { return socket }
        let socket = try Self.bind(control)
        bound.append(socket)
        return socket
    }

    private func takeLent(_ address: String) -> [ListeningSocket]? {
        let taken = lent.filter { $0.address == address }.map(\.socket)
        lent.removeAll { $0.address == address }
        return taken.isEmpty ? nil : taken
    }

    // MARK: Changing hands

    /// All for another process, and whose they are there.
    var lendable: [LentSocket] {
        var lendable: [LentSocket] = []
        for (sockets, listen) in clients {
            lendable += sockets.map { LentSocket(address: "\(listen.address)", socket: $0) }
        }
        if let control, let wanted = configuration.control {
            lendable.append(LentSocket(address: "\(ListenAddress.unix(path: wanted.socket))", socket: control))
        }
        if let admin, let wanted = configuration.admin {
            lendable.append(LentSocket(address: "\(wanted)", socket: admin))
        }
        for socket in given.all where !lendable.contains(where: { $0.socket === socket }) {
            lendable.append(LentSocket(address: nil, socket: socket))
        }
        return lendable
    }

    /// Lets go of all without a word: another process has them, and their files.
    func letGo() {
        (clients, control, admin) = ([], nil, nil)
        given = GivenSockets()
    }

    /// It is served from now on. What the process before this one has lent and no listener wants is closed, and the
    /// control socket has the rights that it is to have now.
    func settle(log: Logger) {
        bound = []
        if isReplacing, let control, let wanted = configuration.control, !control.isAdopted {
            do throws(Server.StartError) {
                // What the configuration does not name stays: a directory or somebody else may have decided on it.
                try setRights(of: wanted, keeping: Privileges.ofFile(wanted.socket))
            } catch {
                log.error("\(error)")
            }
        }
        for one in lent {
            one.socket.removeFile()
            log.info("no longer listening on \(one.socket.address)")
        }
        lent = []
    }

    /// Removes the files of our Unix sockets.
    func removeFiles() {
        for socket in clients.flatMap(\.sockets) { socket.removeFile() }
        control?.removeFile()
        admin?.removeFile()
    }

    /// Lets go of where clients and publishers come in. A process that is started now finds the addresses free.
    func close() {
        for socket in clients.flatMap(\.sockets) { socket.removeFile() }
        control?.removeFile()
        clients = []
        control = nil
    }

    // MARK: Files that others remove

    /// Makes the file of a Unix socket anew if somebody has removed it, as cleaners of /run and /tmp do: all would seem
    /// well, and nobody could connect. A file that somebody put in its place stays; that is only told.
    ///
    /// - Returns: whether the workers have to listen on their shares anew.
    func mendFiles(log: Logger) -> Bool {
        var hasChanged = false
        for index in clients.indices {
            guard let socket = clients[index].sockets.first else { continue }
            let mended = mend(socket, log) { () throws(Server.StartError) in
                try Self.bind(configuration.listen[index].address, workers: 1)[0]
            }
            guard let mended else { continue }
            clients[index].sockets = [mended]
            hasChanged = true
        }
        if let control, let wanted = configuration.control {
            let mended = mend(control, log) { () throws(Server.StartError) in try Self.bind(wanted) }
            if let mended {
                self.control = mended
                hasChanged = true
            }
        }
        if let admin, let wanted = configuration.admin {
            let mended = mend(admin, log) { () throws(Server.StartError) in try Self.bind(wanted, workers: 1)[0] }
            if let mended {
                self.admin = mended
                hasChanged = true
            }
        }
        return hasChanged
    }

    private func mend(
        _ socket: ListeningSocket, _ log: Logger, _ bind: () throws(Server.StartError) -> ListeningSocket
    ) -> ListeningSocket? {
        guard case .unix(let path) = socket.address, let state = socket.fileState else { return nil }
        let isNew = told.updateValue(state, forKey: path) != state
        switch state {
        case .ours: return nil
        case .foreign:
            if isNew { log.error("another file stands at \(path): nobody reaches this process by it") }
            return nil
        case .gone:
            do throws(Server.StartError) {
                let fresh = try bind()
                told[path] = .ours
                log.warning("\(path) had been removed: the socket is bound anew")
                return fresh
            } catch {
                if isNew { log.error("\(path) has been removed, and nobody can connect: \(error)") }
                return nil
            }
        }
    }

    private static func bind(_ address: ListenAddress, workers: Int) throws(Server.StartError) -> [ListeningSocket] {
        do throws(SystemError) {
            switch address {
            case .unix(let path):
                // The app's own clients, such as a web server in front, are other users.
                return [try ListeningSocket(address: .unix(path: path), sharesPort: false, mode: 0o666)]
            case .network(let host, let port):
                guard let wanted = SocketAddress(numericHost: host, port: port) else {
                    throw SystemError("inet_pton", code: EINVAL)
                }
                if workers > 1, port != 0 { try ListeningSocket.requireFree(wanted) }
                let first = try ListeningSocket(address: wanted, sharesPort: workers > 1)
                var sockets = [first]
                while sockets.count < workers {
                    sockets.append(try ListeningSocket(address: first.address, sharesPort: true))
                }
                return sockets
            }
        } catch {
            throw Server.StartError(description: "can't listen on \(address): \(error)")
        }
    }

    private static func bind(_ control: Configuration.Control) throws(Server.StartError) -> ListeningSocket {
        do {
            let owner = try control.owner.map { try Privileges.userID($0).user }
            let group = try control.group.map { try Privileges.groupID($0) }
            let socket = try ListeningSocket(
                address: .unix(path: control.socket), sharesPort: false, mode: control.mode)
            do throws(SystemError) {
                try Privileges.give(control.socket, owner: owner, group: group)
            } catch {
                socket.removeFile()
                throw error
            }
            return socket
        } catch let error as SystemError where error.code == EADDRINUSE {
            throw Server.StartError(
                description:
                    "can't listen on the control socket \(control.socket): somebody listens there, or it is no socket")
        } catch {
            throw Server.StartError(description: "can't listen on the control socket \(control.socket): \(error)")
        }
    }

    private func giveUpRights() throws(Server.StartError) {
        guard let name = configuration.user else { return }
        do {
            let user = try Privileges.userID(name)
            let group = try configuration.group.map { try Privileges.groupID($0) } ?? user.group
            guard geteuid() == 0 || !isReplacing || user.user == geteuid() else {
                throw Privileges.NotRoot(user: name)
            }
            if let wanted = configuration.control, wanted.owner == nil || wanted.group == nil, !isReplacing,
                control?.isAdopted == false
            {
                try Privileges.give(
                    wanted.socket, owner: wanted.owner == nil ? user.user : nil,
                    // Others than root give a file to no group.
                    group: wanted.group == nil && geteuid() == 0 ? group : nil)
            }
            try Privileges.become(user: user.user, group: group)
        } catch {
            throw Server.StartError(description: "can't become the user \(name): \(error)")
        }
    }
}
