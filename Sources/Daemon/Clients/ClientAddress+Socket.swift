/// From the system's addresses, and from those that a proxy in front names, to a client's.
import ByteText
import Gateway
import ProxyProtocol
import Reactor

extension ClientAddress {
    init(_ address: SocketAddress) {
        switch address {
        case .ipv4(let number, _): self = .network(IPAddress(ipv4: number))
        case .ipv6(let high, let low, _, _): self = .network(IPAddress(high: high, low: low))
        case .unix: self = .unix
        }
    }

    init(_ address: ProxyHeader.Address) {
        switch address {
        case .ipv4(let number): self = .network(IPAddress(ipv4: number))
        case .ipv6(let high, let low): self = .network(IPAddress(high: high, low: low))
        }
    }
}
