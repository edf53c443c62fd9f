/// How the requests of one route are passed on to the app.
///
/// A class, because every exchange refers to its route by one word.
import ByteText
package import ConfigFile
package import HTTP1
import Polling

package final class ProxyRoute: Sendable {
    /// Bytes of a request body; nil: no limit.
    package let contentBytesLimit: UInt64?
    /// Nanoseconds until the response begins, and between two pieces of it.
    package let responseTimeout: Int64
    package let idleTimeout: Int64

    /// Protocols in lower case that a request may ask to switch to.
    private let upgrades: [[UInt8]]
    private let passesAnyUpgrade: Bool
    /// How many further servers a request is tried at when a connection can't be opened.
    package let retries: Int

    package init(_ proxy: Configuration.Proxy, _ upstream: Configuration.Upstream) {
        upgrades = upstream.upgrades.map { Array($0.utf8) }
        passesAnyUpgrade = upstream.upgrades.contains("*")
        retries = upstream.retries
        contentBytesLimit = proxy.requestBodyBytes.map(UInt64.init)
        responseTimeout = proxy.responseTimeout.wholeNanoseconds
        idleTimeout = proxy.idleTimeout.wholeNanoseconds
    }

    /// Whether an upgrade is passed on: asked for in HTTP/1.1 without a body, all its protocols allowed, and none of
    /// them one that would carry further requests past every rule of this proxy.
    package func passesUpgrade(of head: borrowing RequestHead) -> Bool {
        guard head.framing == .none, let range = head.upgradeRange else { return false }
        let value = head[range]
        var list = ListField(value)
        var isAsked = false
        while let element = list.next() {
            let name = value.extracting(element)
            guard !Self.carriesRequests(name), passesAnyUpgrade || upgrades.contains(where: { isSame(name, $0) })
            else { return false }
            isAsked = true
        }
        return isAsked
    }

    /// HTTP itself in any version, and TLS, in which it would be hidden (RFC 2817). The protocol's version is of no
    /// interest (RFC 9110 §7.8).
    private static func carriesRequests(_ protocolName: Span<UInt8>) -> Bool {
        let end = protocolName.firstIndex(of: 0x2F, from: 0) ?? protocolName.count
        let name = protocolName.extracting(0..<end)
        return name.equalsIgnoringCase("h2c") || name.equalsIgnoringCase("h2") || name.equalsIgnoringCase("http")
            || name.equalsIgnoringCase("tls")
    }

    private func isSame(_ name: Span<UInt8>, _ lowercase: [UInt8]) -> Bool {
        guard name.count == lowercase.count else { return false }
        for index in 0..<name.count where name[index].asciiLowercased != lowercase[index] { return false }
        return true
    }
}
