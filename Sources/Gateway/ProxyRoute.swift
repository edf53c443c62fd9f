/// How the requests of one route are passed on to the app.
///
/// A class, because every exchange refers to its route by one word.
package import ConfigFile
import Polling

package final class ProxyRoute: Sendable {
    /// Bytes of a request body; nil: no limit.
    package let contentBytesLimit: UInt64?
    /// Nanoseconds until the response begins, and between two pieces of it.
    package let responseTimeout: Int64
    package let idleTimeout: Int64

    package init(_ proxy: Configuration.Proxy) {
        contentBytesLimit = proxy.requestBodyBytes.map(UInt64.init)
        responseTimeout = proxy.responseTimeout.wholeNanoseconds
        idleTimeout = proxy.idleTimeout.wholeNanoseconds
    }
}
