/// The process whose place this one is to take: what it lends and hands over comes from here.
import ConfigFile
import Gateway
import Glibc
import Polling
import Reactor

package final class Predecessor {
    /// Where the environment says under which number the connection to it stands.
    package static let variable = "POLLHOLD_PREDECESSOR"

    /// Why this process can't take its place. The other one goes on.
    package typealias Refusal = Server.StartError

    let socket: RecordSocket
    private var hasTaken = false
    /// The other process is there no more.
    private var hasEnded = false

    /// nil: this process was started by itself.
    ///
    /// - Throws: for a variable that can't be what a process of this program has set.
    package init?(environment: [String: String]) throws(Refusal) {
        guard let text = environment[Self.variable] else { return nil }
        unsafe _ = unsetenv(Self.variable)
        guard let number = Int32(text), number > 2, fcntl(number, F_SETFD, FD_CLOEXEC) == 0 else {
            throw Refusal(description: "\(Self.variable) is \(text); expected the number of an open descriptor")
        }
        socket = RecordSocket(FileDescriptor(owning: number))
        guard case .format(let format) = try next().record else {
            throw Refusal(description: "the process that is to be replaced says nothing that is understood")
        }
        guard format == HandoverRecord.format else {
            let reason = "a process of this version can't take over from the one that runs; it takes a restart"
            refuse(reason)
            throw Refusal(description: reason)
        }
    }

    // MARK: What it lends

    /// Listening sockets, by the address under which the other process' configuration has them.
    func receiveListeners() throws(Refusal) -> [LentSocket] {
        var lent: [LentSocket] = []
        while true {
            let (record, descriptor) = try next()
            switch (record, descriptor) {
            case (.listener(let address, let isAdopted), let descriptor?):
                let socket = ListeningSocket(lent: descriptor.take(), isAdopted: isAdopted)
                lent.append(LentSocket(address: address, socket: socket))
            case (.listenersEnd, nil): return lent
            default: throw Refusal(description: "the process that is to be replaced lends something else")
            }
        }
    }

    // MARK: What it hands over

    /// All that can fail early has not. Blocks until the other process has handed over what it has.
    ///
    /// - Parameters:
    ///   - limits: of the pool.
    ///   - store: where this process has its pool; nil: in memory.
    func receiveState(limits: PoolLimits, store: String?, now: Moment) throws(Refusal) -> HandedState {
        try say(.prepared(store: store))
        var assembly = PoolAssembly(limits: limits, now: now)
        var mark: PoolMark?
        var connections: [AdoptedConnection] = []
        while true {
            let (record, descriptor) = try next()
            switch (record, descriptor) {
            case (.pool(let part), nil): assembly.add(part)
            case (.stored(let stored), nil) where store != nil: mark = stored
            case (.connection(let connection), let descriptor?): connections.append((connection, descriptor))
            case (.connection, nil):
                throw Refusal(description: "no descriptor is left for connections that are to be taken over")
            case (.complete, nil):
                if let mark { return HandedState(pool: .stored(mark), connections: connections) }
                if let pool = assembly.finish(), let epoch = assembly.epoch {
                    return HandedState(pool: .whole(pool, epoch), connections: connections)
                }
                throw Refusal(description: "the process that is to be replaced hands over no pool")
            default: throw Refusal(description: "the process that is to be replaced hands over something else")
            }
        }
    }

    /// Blocks until the other process has let go of everything, or is no more. From then on this one has it.
    func take() throws(Refusal) {
        do throws(Refusal) {
            try say(.taken)
            guard case .left = try next().record else {
                throw Refusal(description: "the process that is to be replaced does not let go")
            }
        } catch  where hasEnded {
            // Who gives this process up kills it, so the other one has not done that.
        }
        hasTaken = true
    }

    /// This process will not serve.
    package func refuse(_ reason: String) {
        guard !hasTaken else { return }
        // It may have gone, or given up waiting; then it knows.
        do { try say(.failed(reason)) } catch {}
    }

    private func say(_ record: HandoverRecord) throws(Refusal) {
        do throws(RecordSocket.Fault) {
            try socket.send(record.bytes)
        } catch {
            hasEnded = error == .ended
            throw Refusal(description: "the process that is to be replaced can't be told: \(error)")
        }
    }

    private func next() throws(Refusal) -> (record: HandoverRecord, descriptor: PassedDescriptor?) {
        do {
            guard let record = try socket.receive(waiting: true) else { throw RecordSocket.Fault.ended }
            return (try HandoverRecord(record.bytes), record.descriptor)
        } catch {
            hasEnded = error as? RecordSocket.Fault == .ended
            throw Refusal(description: "the process that is to be replaced can't be heard: \(error)")
        }
    }
}

/// A listening socket of the process before.
struct LentSocket {
    /// nil: the service manager has given it, and no listener wants it.
    let address: String?
    let socket: ListeningSocket
}

/// What the process before had when nothing changed any more.
struct HandedState {
    let pool: HandedPool
    let connections: [AdoptedConnection]
}

enum HandedPool {
    /// It is written down nowhere, or elsewhere.
    case whole(MessagePool, Epoch)
    /// It is in the file in which this process is to have it.
    case stored(PoolMark)
}
