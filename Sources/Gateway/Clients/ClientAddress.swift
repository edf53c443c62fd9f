/// The other end of a connection, or the client that somebody trusted named, as a number.
package import ByteText
import ConfigFile

package enum ClientAddress: Hashable, Sendable, CustomStringConvertible {
    /// A Unix socket's peer, which has no address.
    case unix
    case network(IPAddress)

    /// As logs and templates show it.
    package var text: [UInt8] {
        var text: [UInt8] = []
        switch self {
        case .unix: text.append("unix:")
        case .network(let address): text.append(address: address)
        }
        return text
    }

    package var description: String { String(decoding: text, as: UTF8.self) }

    func isListed(in list: borrowing AddressList) -> Bool {
        switch self {
        case .unix: list.includesUnix
        case .network(let number): list.contains(number)
        }
    }
}

/// Who connected, as an idle connection keeps it.
package struct Peer: Hashable, Sendable {
    package var address: ClientAddress
    /// TLS ended in front of us.
    package var isSecure: Bool

    package init(_ address: ClientAddress, isSecure: Bool = false) {
        self.address = address
        self.isSecure = isSecure
    }
}
