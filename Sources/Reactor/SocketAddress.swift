/// Where a socket listens or connects to: an IPv4 or IPv6 address with a port, or a path.
import CLibevent
import Glibc

package enum SocketAddress: Hashable, Sendable {
    /// Address bytes in network order and the port.
    case ipv4(UInt32, port: UInt16)
    case ipv6(high: UInt64, low: UInt64, scope: UInt32, port: UInt16)
    /// A Unix socket's path; Linux takes 107 bytes at most. Empty for an unnamed peer, `@` and a name for a socket
    /// without a file.
    case unix(path: String)

    /// Longest path of a Unix socket in bytes (`sun_path` less its NUL).
    package static let unixPathBytesLimit = 107

    /// An address written in numbers, e.g. `127.0.0.1` or `::1`; nil for a name.
    package init?(numericHost host: String, port: UInt16) {
        var four = in_addr()
        var six = in6_addr()
        if unsafe inet_pton(AF_INET, host, &four) == 1 {
            self = .ipv4(UInt32(bigEndian: four.s_addr), port: port)
        } else if unsafe inet_pton(AF_INET6, host, &six) == 1 {
            self = unsafe withUnsafeBytes(of: &six) { bytes in
                unsafe .ipv6(
                    high: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                    low: UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)), scope: 0,
                    port: port)
            }
        } else {
            return nil
        }
    }

    package var family: Int32 {
        switch self {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    package var isUnix: Bool { family == AF_UNIX }

    package var port: UInt16? {
        switch self {
        case .ipv4(_, let port), .ipv6(_, _, _, let port): port
        case .unix: nil
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `127.0.0.1:80`, `[::1]:80` or `unix:/path`.
    package var description: String {
        switch self {
        case .ipv4(_, let port): "\(host):\(port)"
        case .ipv6(_, _, _, let port): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    /// The address without its port, in numbers; `unix:` for a Unix socket's peer, which has none.
    package var host: String {
        switch self {
        case .ipv4(let address, _):
            return "\(address >> 24).\(address >> 16 & 255).\(address >> 8 & 255).\(address & 255)"
        case .ipv6(let high, let low, _, _):
            var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
            var bytes = (high.bigEndian, low.bigEndian)
            _ = unsafe inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count))
            return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        case .unix:
            return "unix:"
        }
    }
}

extension SocketAddress {
    /// Lends this address in the system's form.
    func withSystemForm<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var storage = sockaddr_storage()
        let length = unsafe withUnsafeMutableBytes(of: &storage) { bytes -> socklen_t in
            switch self {
            case .ipv4(let address, let port):
                var form = sockaddr_in()
                form.sin_family = sa_family_t(AF_INET)
                form.sin_port = port.bigEndian
                form.sin_addr.s_addr = address.bigEndian
                unsafe bytes.storeBytes(of: form, as: sockaddr_in.self)
                return socklen_t(MemoryLayout<sockaddr_in>.size)
            case .ipv6(let high, let low, let scope, let port):
                var form = sockaddr_in6()
                form.sin6_family = sa_family_t(AF_INET6)
                form.sin6_port = port.bigEndian
                form.sin6_scope_id = scope
                unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { place in
                    unsafe place.storeBytes(of: high.bigEndian, toByteOffset: 0, as: UInt64.self)
                    unsafe place.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
                }
                unsafe bytes.storeBytes(of: form, as: sockaddr_in6.self)
                return socklen_t(MemoryLayout<sockaddr_in6>.size)
            case .unix(let path):
                let name = Array(path.utf8)
                precondition(name.count <= Self.unixPathBytesLimit, "the configuration refuses longer socket paths")
                unsafe bytes.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                let offset = MemoryLayout<sa_family_t>.size
                for (index, byte) in name.enumerated() { unsafe bytes[offset + index] = byte }
                return socklen_t(offset + name.count + 1)
            }
        }
        return unsafe withUnsafePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, length) }
        }
    }

    /// Reads an address of a list that the system made.
    init(system address: UnsafePointer<sockaddr>, length: socklen_t) {
        var storage = sockaddr_storage()
        let count = min(Int(length), MemoryLayout<sockaddr_storage>.size)
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: count))
        }
        self.init(systemForm: storage, length: length)
    }

    /// Reads an address that a system call wrote; an unknown family is an unnamed peer.
    init(systemForm storage: sockaddr_storage, length: socklen_t) {
        self = unsafe withUnsafeBytes(of: storage) { bytes in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let form = unsafe bytes.load(as: sockaddr_in.self)
                return .ipv4(UInt32(bigEndian: form.sin_addr.s_addr), port: UInt16(bigEndian: form.sin_port))
            case AF_INET6:
                let form = unsafe bytes.load(as: sockaddr_in6.self)
                let offset = 8
                let high = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
                let low = unsafe UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
                // An IPv4 client on a dual-stack listener is named as what it is.
                if high == 0, low >> 32 == 0xFFFF {
                    return .ipv4(UInt32(truncatingIfNeeded: low), port: UInt16(bigEndian: form.sin6_port))
                }
                return .ipv6(high: high, low: low, scope: form.sin6_scope_id, port: UInt16(bigEndian: form.sin6_port))
            default:
                let name = unsafe bytes.dropFirst(MemoryLayout<sa_family_t>.size)
                    .prefix(max(0, Int(length) - MemoryLayout<sa_family_t>.size))
                if unsafe name.count > 1, unsafe name.first == 0 {
                    return unsafe .unix(path: "@" + String(decoding: name.dropFirst(), as: UTF8.self))
                }
                return unsafe .unix(path: String(decoding: name.prefix { $0 != 0 }, as: UTF8.self))
            }
        }
    }
}
