/// The beginning of a process that takes the place of another one: its connections go to the workers, and what it still
/// has under way comes later. If this process is replaced in its turn before that, it passes on what comes.
import ConfigFile
import Gateway
import Logging
import Polling
import Reactor

extension Server {
    /// Begins to serve in the other process' place. The workers run, and nobody listens yet.
    func takeOver(from predecessor: Predecessor, _ connections: [AdoptedConnection]) throws(StartError) {
        try predecessor.take()
        opened.own()
        log.info("connections are taken over", metadata: ["count": "\(connections.count)"])
        var shares = [[AdoptedConnection]](repeating: [], count: configuration.workers)
        // In the order in which their polls came, so that each one's place among those that wait is found at once.
        let none = Moment(nanoseconds: .min)
        let sorted = connections.sorted {
            ($0.connection.pollStartedAt ?? none) < ($1.connection.pollStartedAt ?? none)
        }
        for (index, connection) in sorted.enumerated() { shares[index % shares.count].append(withGrant(connection)) }
        // They have their places before the first worker lets in anybody new.
        door.connectionsChanged(by: connections.count)
        for (index, share) in shares.enumerated() {
            let door = hub.door(of: WorkerNumber(index))
            door.post(.adopt(share))
            door.post(.listen(sockets.share(of: index)))
        }
        adoption = RecordSource(loop: loop, socket: predecessor.socket) { [unowned self] in hear() }
    }

    /// Grants are there before a worker can be told that one of them counts no more.
    private func withGrant(_ adopted: AdoptedConnection) -> AdoptedConnection {
        guard case .hold(var hold) = adopted.connection.state, let grant = hold.grant else { return adopted }
        hold.grantSerial = hub.rechecks.adopt(grant)
        var connection = adopted.connection
        connection.state = .hold(hold)
        return (connection, adopted.descriptor)
    }

    /// Takes what the process before this one has said, if there still is one.
    func hear() {
        while adoption != nil, let predecessor {
            do {
                guard let record = try predecessor.socket.receive(waiting: false) else { return }
                try take(record)
            } catch RecordSocket.Fault.ended {
                return endAdoption()
            } catch {
                log.error("what the process before this one hands over is lost: \(error)")
                return endAdoption()
            }
        }
    }

    private func take(_ record: RecordSocket.Record) throws {
        switch successor?.stage {
        case nil, .preparing: try take(HandoverRecord(record.bytes), record.descriptor)
        // It is for whoever serves then.
        case .quieting, .freezing, .taking: putAside.append(record)
        case .serving: relay(record)
        }
    }

    /// An upgrade has come to its end, whichever it was.
    func takePutAside() {
        let records = putAside
        putAside = []
        do {
            for record in records { try take(record) }
        } catch {
            log.error("what the process before this one hands over is lost: \(error)")
            endAdoption()
        }
    }

    private func take(_ record: HandoverRecord, _ descriptor: PassedDescriptor?) throws(RecordSocket.Fault) {
        switch (record, descriptor) {
        case (.connection(let connection), let descriptor?):
            adoptedCount += 1
            door.connectionsChanged(by: 1)
            hub.door(of: WorkerNumber(adoptedCount % configuration.workers)).post(
                .adopt([withGrant((connection, descriptor))]))
        case (.connection, nil): log.error("a connection is lost that was to be taken over: no descriptor is left")
        case (.late(let event), nil): hub.door(of: WorkerNumber(0)).post(.late(event))
        default: throw .malformed
        }
    }

    /// The process before this one has ended, or is listened to no more: then it ends what it has by itself.
    func endAdoption() {
        adoption = nil
        predecessor?.socket.end()
        predecessor = nil
    }
}
