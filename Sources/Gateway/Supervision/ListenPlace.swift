/// Where a socket listens, however it is written: what the configuration wants and what the system names are compared
/// as values.
package import ByteText
package import ConfigFile

package enum ListenPlace: Hashable, Sendable, CustomStringConvertible {
    case network(IPAddress, port: UInt16)
    /// A path; `@` and a name for a socket without a file, which no configuration can want.
    case unix(path: String)

    /// - Returns: nil for a host that is not in numbers, which the configuration refuses.
    package init?(_ address: ListenAddress) {
        switch address {
        case .unix(let path): self = .unix(path: path)
        case .network(let host, let port):
            let text = Array(host.utf8)
            guard let number = IPAddress(text.span) else { return nil }
            self = .network(number, port: port)
        }
    }

    package var description: String {
        switch self {
        case .network(let address, let port): address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}
