/// Whom a request is from and what its client asked for: the connection's own word, or a trusted peer's.
///
/// The client's address is found from the right: the peer is the nearest hop; if it is trusted, the hop that it names
/// is next, and so on until one is not trusted or names none. What stands farther left was said by somebody who is not
/// trusted, so it is passed on and never believed.
import ByteText
package import HTTP1

package struct ClientIdentity {
    /// One hop that a trusted peer told of.
    struct Hop {
        /// Its text in the head.
        let text: ByteRange
        /// nil: `unknown`, an obfuscated name, or nonsense.
        let address: IPAddress?
    }

    /// Hops that are kept, counted from us. No real path is longer, and who writes thousands of commas wants us to
    /// write a longer text for each of them.
    static let hopCountLimit = 64

    /// The client's address as far as it is known.
    package let client: ClientAddress
    /// The connection's other end.
    package let peer: ClientAddress
    /// The peer may say on whose behalf it asks.
    package let speaksForOthers: Bool
    package let isSecure: Bool
    /// The authority that the client asked for, in the head; empty in a request without one.
    let host: ByteRange
    /// The port that a trusted peer told.
    private let toldPort: UInt16?
    /// What the peer told, from the first hop to the last. Empty unless it is trusted.
    let hops: [Hop]

    package init(_ head: borrowing RequestHead, peer: Peer, rules: borrowing ForwardingRules) {
        self.peer = peer.address
        speaksForOthers = rules.trusts(peer.address)
        guard speaksForOthers else {
            client = peer.address
            isSecure = peer.isSecure
            host = head.hostRange
            hops = []
            toldPort = nil
            return
        }
        let told = rules.believesForwarded ? ToldIdentity(forwarded: head) : ToldIdentity(xForwarded: head)
        hops = told.hops
        client = Self.client(peer.address, hops, rules)
        isSecure = told.isSecure ?? peer.isSecure
        host = told.host ?? head.hostRange
        toldPort = told.port
    }

    private static func client(
        _ peer: ClientAddress, _ hops: [Hop], _ rules: borrowing ForwardingRules
    ) -> ClientAddress {
        var client = peer
        for hop in hops.reversed() {
            guard let address = hop.address else { break }
            client = .network(address)
            guard rules.trusts(client) else { break }
        }
        return client
    }

    /// The port that the client asked for: what was said, else what the host says, else the scheme's own.
    func port(_ head: borrowing RequestHead) -> UInt16 {
        toldPort ?? AuthorityText(head[host])?.port ?? (isSecure ? 443 : 80)
    }
}
