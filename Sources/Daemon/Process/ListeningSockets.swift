/// Everything that the daemon listens on, bound before threads start and rights are given up.
///
/// An address of TCP is bound once per worker, and the system spreads connections over them; a Unix socket is bound
/// once and accepted from by all workers.
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
    /// What has been told of the files of our Unix sockets, by path.
    private var told: [String: SocketFile.State] = [:]

    init(_ configuration: Configuration) throws(Server.StartError) {
        self.configuration = configuration
        var clients: [(sockets: [ListeningSocket], listen: Configuration.Listen)] = []
        for listen in configuration.listen {
            clients.append((try Self.bind(listen.address, workers: configuration.workers), listen))
        }
        self.clients = clients
        control = try configuration.control.map { control throws(Server.StartError) in try Self.bind(control) }
        admin = try configuration.admin.map { address throws(Server.StartError) in
            try Self.bind(address, workers: 1)[0]
        }
        try Self.giveUpRights(configuration)
    }

    /// Where clients come in, with the ports that the system chose.
    var addresses: [SocketAddress] { clients.compactMap { $0.sockets.first?.address } }

    /// Where health and metrics can be asked for.
    var adminAddress: SocketAddress? { admin?.address }

    var controlPath: String? {
        guard case .unix(let path) = control?.address else { return nil }
        return path
    }

    func share(of worker: Int) -> Share {
        Share(
            clients: clients.map { ($0.sockets[min(worker, $0.sockets.count - 1)], $0.listen) }, control: control,
            admin: admin)
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

    static func bind(_ address: ListenAddress, workers: Int) throws(Server.StartError) -> [ListeningSocket] {
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

    static func bind(_ control: Configuration.Control) throws(Server.StartError) -> ListeningSocket {
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

    private static func giveUpRights(_ configuration: Configuration) throws(Server.StartError) {
        guard let name = configuration.user else { return }
        do {
            let user = try Privileges.userID(name)
            let group = try configuration.group.map { try Privileges.groupID($0) } ?? user.group
            if let control = configuration.control, control.owner == nil {
                try Privileges.give(control.socket, owner: user.user, group: nil)
            }
            try Privileges.become(user: user.user, group: group)
        } catch {
            throw Server.StartError(description: "can't become the user \(name): \(error)")
        }
    }
}
