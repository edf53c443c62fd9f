/// What the app has granted lately: who may poll for what, until when, and which fields came with it. Bounded; the
/// oldest goes first, and is asked for again.
import ByteText
import DequeModule
package import HTTP1
package import Polling

package struct GrantTable: Sendable {
    private static let grantsLimit = 100_000

    package struct Grant: Sendable {
        package let fields: [GrantedField]
        /// By which held polls are found when it is revoked.
        package let serial: UInt64
        let credential: [UInt8]
        let until: Moment
    }

    private var grants: [RequestIdentity: Grant] = [:]
    private var identities: [[UInt8]: Set<RequestIdentity>] = [:]
    private var order: Deque<(identity: RequestIdentity, serial: UInt64)> = []
    private var lastSerial: UInt64 = 0

    package init() {}

    package var count: Int { grants.count }

    /// Grants under which polls may be held, by their serials.
    package var handed: [UInt64: HandedGrant] {
        var handed: [UInt64: HandedGrant] = [:]
        for grant in grants.values {
            handed[grant.serial] = HandedGrant(credential: grant.credential, until: grant.until)
        }
        return handed
    }

    /// Keeps a grant of another process, by which no new poll is let in: it is there to be revoked.
    package mutating func adopt(_ grant: HandedGrant) -> UInt64 {
        let identity = RequestIdentity(adopted: lastSerial)
        return keep([], for: identity, credential: grant.credential, until: grant.until).serial
    }

    package mutating func grant(_ identity: RequestIdentity, now: Moment) -> Grant? {
        guard let grant = grants[identity] else { return nil }
        guard now < grant.until else { return nil }
        return grant
    }

    /// - Returns: what was kept.
    package mutating func keep(
        _ fields: [GrantedField], for identity: RequestIdentity, credential: [UInt8], until: Moment
    ) -> Grant {
        remove(identity)
        lastSerial += 1
        let grant = Grant(fields: fields, serial: lastSerial, credential: credential, until: until)
        grants[identity] = grant
        identities[credential, default: []].insert(identity)
        order.append((identity, lastSerial))
        while grants.count > Self.grantsLimit || order.count > 2 * grants.count + 64, let oldest = order.popFirst() {
            if grants[oldest.identity]?.serial == oldest.serial { remove(oldest.identity) }
        }
        return grant
    }

    /// Takes back what a credential was granted; nil: everybody's.
    package mutating func revoke(_ credential: [UInt8]?) -> Set<UInt64> {
        let ended = credential.map { identities[$0] ?? [] } ?? Set(grants.keys)
        let serials = Set(ended.compactMap { grants[$0]?.serial })
        for identity in ended { remove(identity) }
        return serials
    }

    /// Takes out what no longer counts, from the oldest on.
    package mutating func expire(now: Moment) {
        while let oldest = order.first {
            if let grant = grants[oldest.identity], grant.serial == oldest.serial {
                // A poll held under it is to be found for as long as it may be held.
                guard grant.until + .seconds(600) <= now else { return }
                remove(oldest.identity)
            }
            order.removeFirst()
        }
    }

    private mutating func remove(_ identity: RequestIdentity) {
        guard let grant = grants.removeValue(forKey: identity) else { return }
        identities[grant.credential]?.remove(identity)
        if identities[grant.credential]?.isEmpty ?? false { identities[grant.credential] = nil }
    }
}

/// A field of the app's answer to an authorization, for templates.
package struct GrantedField: Equatable, Sendable {
    /// In lower case.
    let name: [UInt8]
    let value: [UInt8]

    /// The fields of an answer, as many as are of use.
    package static func all(of head: borrowing ResponseHead) -> [GrantedField] {
        var fields: [GrantedField] = []
        for line in head.fields.lines where line.name == .other && fields.count < 32 {
            fields.append(
                GrantedField(
                    name: head.fields.name(of: line).array.map(\.asciiLowercased),
                    value: head.fields.value(of: line).array))
        }
        return fields
    }
}
