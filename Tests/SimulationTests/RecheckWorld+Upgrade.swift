import Gateway
import Polling

/// Another process takes the place of the one that runs, at a moment at which the app is asked nothing: with a question
/// under way a poll is handed over when that is answered.
extension RecheckWorld {
    mutating func upgrade() throws {
        guard questions.isEmpty, fault == .none || fault == .deafWhileHanding else { return }
        let handed = try freeze()
        var assembly = PoolAssembly(limits: pool.limits, now: moment)
        for part in pool.parts(of: Epoch(random: 1)) { assembly.add(part) }
        guard let fresh = assembly.finish() else { return violations.append(violation("there is no pool")) }
        pool = fresh
        gate = QuestionGate()
        memory = RecheckMemory()
        permits = permits.map { _ in 0 }
        inboxes = inboxes.map { _ in [] }
        for worker in boards.indices {
            boards[worker] = RecheckBoard(seed: seed &+ UInt64(upgrades + worker), workers: boards.indices.count)
        }
        for connection in handed {
            guard case .connection(let told) = try HandoverRecord(HandoverRecord.connection(connection).bytes),
                case .recheck(let recheck) = told.state
            else { continue }
            let (number, worker) = (Int(told.requestCount), Int.random(in: boards.indices, using: &random))
            clients[number].worker = worker
            let request = RecheckRequest(recheck, on: route, serial: UInt64(upgrades * 100 + number))
            let action = boards[worker].adopted(
                request, recheck.progress, startedAt: recheck.poll.startedAt, on: number)
            perform(action, worker, number)
            // One that has never asked may find the line in front of the app full, as at any worker.
            if !clients[number].isPolling, !recheck.progress.isFirst {
                violations.append(violation("client \(number) has noticed that it was handed over"))
            }
        }
        upgrades += 1
    }

    /// - Returns: the polls, under the numbers of their clients.
    private mutating func freeze() throws -> [HandedConnection] {
        for worker in boards.indices {
            for channel in inboxes[worker] { boards[worker].noticed(channel, now: moment) }
            inboxes[worker] = []
        }
        var handed: [HandedConnection] = []
        for (number, client) in clients.enumerated() where client.isPolling {
            guard
                var progress = boards[client.worker].progress(
                    of: number, present: { pool.isQuiet($0, since: $1) ? pool.lastNumber : nil }),
                let exchange = boards[client.worker].exchange(number)
            else {
                violations.append(violation("client \(number) can't be handed over"))
                continue
            }
            if fault == .deafWhileHanding { (progress.number, progress.dueAt) = (pool.lastNumber, nil) }
            let recheck = HandedRecheck(
                exchange.request, progress, requestBytes: [], server: nil, requestID: nil, epoch: Epoch(random: 1),
                startedAt: exchange.startedAt, date: DateField(seconds: 0))
            var connection = HandedConnection(.client, .recheck(recheck))
            connection.requestCount = UInt32(number)
            handed.append(connection)
        }
        return handed
    }
}
