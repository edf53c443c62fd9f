/// Whom a connection was made for, as the proxy in front says it in a header before the connection's own bytes: the
/// PROXY protocol, version 1 (a line of text) and 2 (a block of bytes), as in HAProxy's `proxy-protocol.txt`.
///
/// Whether there is a header is known from the listener alone and never guessed: where one is expected its absence is
/// an error, and where none is expected it is no HTTP. Otherwise anybody could say to be anybody.
package enum ProxyHeader: Hashable, Sendable {
    /// The connection stands for itself, or for something that is not TCP over IP: its real endpoints are those that
    /// count. `UNKNOWN` in version 1; `LOCAL`, Unix sockets, datagrams and unspecified families in version 2.
    case keepsPeer
    /// The proxy relays this connection from `source`, which had connected to `destination`.
    case relayed(source: Endpoint, destination: Endpoint)

    /// An address as a number, the byte that is written first being the highest.
    package enum Address: Hashable, Sendable {
        case ipv4(UInt32)
        case ipv6(high: UInt64, low: UInt64)
    }

    package struct Endpoint: Hashable, Sendable {
        package let address: Address
        package let port: UInt16

        package init(_ address: Address, port: UInt16) {
            self.address = address
            self.port = port
        }
    }

    package enum Reading: Hashable, Sendable {
        /// What is there may be the beginning of a header.
        case needsMore
        /// The header is whole and takes up the first `byteCount` bytes; what follows is the connection's own.
        case whole(ProxyHeader, byteCount: Int)
    }

    /// The default for headers of version 2. Real ones have some hundred bytes, the longest for a client certificate.
    package static let defaultBytesLimit = 4 << 10

    /// Looks at a connection's first bytes. The outcome does not depend on how they were cut. What is no header is
    /// refused at its first wrong byte; a line, or what follows a block's length, is judged when it is whole.
    /// O(n) at a call for a line, O(1) for a block that is not whole yet.
    ///
    /// - Parameters:
    ///   - bytes: all that has come, from the connection's first byte on.
    ///   - bytesLimit: how long a header of version 2 may be. One of version 1 has 107 bytes at most.
    package static func read(
        _ bytes: Span<UInt8>, bytesLimit: Int = defaultBytesLimit
    ) throws(ProxyHeaderError) -> Reading {
        guard bytes.count > 0 else { return .needsMore }
        return bytes[0] == 0x50 ? try readLine(bytes) : try readBlock(bytes, bytesLimit)
    }

    /// Whether the bytes are `text` as far as both go; an error at the first one that is not.
    ///
    /// - Returns: whether all of `text` is there.
    static func isBehind(_ text: StaticString, _ bytes: Span<UInt8>) throws(ProxyHeaderError) -> Bool {
        let length = text.utf8CodeUnitCount
        for index in 0..<min(bytes.count, length) where unsafe bytes[index] != text.utf8Start[index] {
            throw .notProxyProtocol
        }
        return bytes.count >= length
    }
}
