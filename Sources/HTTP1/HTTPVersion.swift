/// The two versions that are spoken.
package enum HTTPVersion: UInt8, Hashable, Sendable {
    case http10
    case http11
}
