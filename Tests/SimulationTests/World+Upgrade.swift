import Gateway
import Polling

/// Another process takes the place of the one that runs: nothing is left of it but what records have told.
extension World {
    mutating func upgrade() throws {
        guard fault == .none || fault == .handedUnseen else { return }
        let handed = try freeze()
        var assembly = PoolAssembly(limits: pool.limits, now: Moment(nanoseconds: now))
        for part in pool.parts(of: epoch) {
            guard case .pool(let told) = try HandoverRecord(HandoverRecord.pool(part).bytes) else { continue }
            assembly.add(told)
        }
        guard let fresh = assembly.finish() else { return violations.append("seed \(seed): there is no pool") }
        pool = fresh
        inboxes = inboxes.map { _ in [] }
        for worker in switchboards.indices { switchboards[worker] = Switchboard(epoch: epoch) }
        let answered = answers
        for connection in handed {
            guard case .connection(let told) = try HandoverRecord(HandoverRecord.connection(connection).bytes),
                case .hold(let hold) = told.state
            else { continue }
            let (number, worker) = (Int(told.requestCount), Int.random(in: switchboards.indices, using: &random))
            clients[number].worker = worker
            let action = switchboards[worker].received(
                hold.request(on: route, epoch: epoch), on: number, now: hold.poll.startedAt)
            perform(action, worker, number)
        }
        if answers != answered { violations.append("seed \(seed): a poll has noticed that it was handed over") }
        upgrades += 1
    }

    /// - Returns: what is held, under the numbers of the clients.
    private mutating func freeze() throws -> [HandedConnection] {
        for worker in switchboards.indices where fault != .handedUnseen {
            switchboards[worker].noticedAll()
            while let (number, action) = switchboards[worker].nextWoken() { perform(action, worker, number) }
        }
        var handed: [HandedConnection] = []
        for client in clients where client.isHeld {
            guard let worker = client.worker, let held = switchboards[worker].held(on: client.connection),
                var hold = switchboards[worker].handed(
                    client.connection, names: pool.channelNames(of: held.channels), supersedeKey: nil)
            else { continue }
            if fault == .handedUnseen {
                hold = HandedHold(
                    poll: hold.poll, after: pool.lastNumber, isTrusted: false, isAuthorized: false, origin: .none,
                    callback: nil)
            }
            var connection = HandedConnection(.client, .hold(hold))
            connection.requestCount = UInt32(client.connection)
            handed.append(connection)
        }
        return handed
    }
}
