/// What all workers share of what the app was asked: how many questions are under way, what was found out and granted
/// lately, and whose poll is the newest of those that take each other's place. Each stands behind its own lock, which
/// is held for a step.
import Gateway
import Polling
import Reactor

final class SharedRechecks: Sendable {
    /// A poll on its worker; the serial tells it from an earlier one of the same connection.
    struct Place: Equatable, Sendable {
        let worker: WorkerNumber
        let stream: Int
        let serial: UInt64
    }

    /// Remembered for longer than any hold that is of use with browsers.
    private static let memoryAge = Duration.seconds(600)

    /// By the routes' paths, so that a reload loses no permit.
    private let gates = Guarded<[String: QuestionGate]>([:])
    private let memory = Guarded(RecheckMemory())
    private let grants = Guarded(GrantTable())
    private let newest = Guarded<[[UInt8]: (place: Place, startedAt: Moment)]>([:])

    // MARK: Permits

    func take(_ path: String, limit: Int, for worker: WorkerNumber) -> Bool {
        gates.withLock { $0[path, default: QuestionGate()].take(worker, limit: limit) }
    }

    /// - Returns: the worker whose permit it now is.
    func giveBack(_ path: String, limit: Int) -> WorkerNumber? {
        gates.withLock { $0[path]?.giveBack(limit: limit) }
    }

    // MARK: Memory

    func knowledge(of identity: RequestIdentity) -> Knowledge? { memory.withLock { $0.knowledge(of: identity) } }

    func remember(_ knowledge: Knowledge, of identity: RequestIdentity) {
        memory.withLock { $0.remember(knowledge, of: identity) }
    }

    func forget(_ identity: RequestIdentity) { memory.withLock { $0.forget(identity) } }

    func answered(
        _ knowledge: Knowledge, _ digest: RequestIdentity.BodyDigest, to identity: RequestIdentity, now: Moment
    ) {
        memory.withLock { $0.answered(knowledge, digest, to: identity, now: now) }
    }

    func polled(
        _ identity: RequestIdentity, having digest: RequestIdentity.BodyDigest?, now: Moment, age: Duration
    ) -> Bool {
        memory.withLock { $0.polled(identity, having: digest, now: now, age: age) }
    }

    func expire(now: Moment) {
        memory.withLock { $0.expire(now: now, age: Self.memoryAge) }
        grants.withLock { $0.expire(now: now) }
    }

    // MARK: Grants

    func grant(_ identity: RequestIdentity, now: Moment) -> GrantTable.Grant? {
        grants.withLock { $0.grant(identity, now: now) }
    }

    func keep(
        _ fields: [GrantedField], for identity: RequestIdentity, credential: [UInt8], until: Moment
    ) -> GrantTable.Grant {
        grants.withLock { $0.keep(fields, for: identity, credential: credential, until: until) }
    }

    /// By their serials, for another process.
    var handedGrants: [UInt64: HandedGrant] { grants.withLock { $0.handed } }

    func adopt(_ grant: HandedGrant) -> UInt64 { grants.withLock { $0.adopt(grant) } }

    /// - Returns: serials of what was taken back.
    func revoke(_ credential: [UInt8]?) -> Set<UInt64> { grants.withLock { $0.revoke(credential) } }

    // MARK: Polls that take each other's place

    /// A poll takes the place of the one that has it.
    ///
    /// - Parameters:
    ///   - startedAt: when it came.
    ///   - isNew: false: another process has held it until now, and one that has the place may be newer.
    /// - Returns: the poll whose place is taken, which may be its own.
    func supersede(_ key: [UInt8], by place: Place, startedAt: Moment, isNew: Bool = true) -> Place? {
        newest.withLock { newest in
            if !isNew, let there = newest[key], there.startedAt > startedAt { return place }
            let old = newest[key]?.place
            newest[key] = (place, startedAt)
            return old
        }
    }

    func ended(_ key: [UInt8], _ place: Place) {
        newest.withLock { if $0[key]?.place == place { $0[key] = nil } }
    }
}
