/// What an answer must know of its request when the head itself has long been overwritten by the next one.
package import HTTP1

package struct RequestManner: Equatable, Sendable {
    /// HEAD: the answer is a head alone.
    package var isHeadOnly = false
    /// The client speaks HTTP/1.0, which has to be told that the connection stays.
    package var isHTTP10 = false
    /// The client would go on with this connection.
    package var keepsAlive = false

    /// Of a request that could not be read.
    package init() {}

    package init(_ head: borrowing RequestHead) {
        isHeadOnly = head.method == .head
        isHTTP10 = head.version == .http10
        keepsAlive = head.keepsAlive
    }

    /// Writes the Connection field that this client needs, if it needs one (RFC 9112 §9.3).
    package func writeConnectionField(into writer: inout HTTPWriter) {
        if !keepsAlive {
            writer.field("Connection", "close")
        } else if isHTTP10 {
            writer.field("Connection", "keep-alive")
        }
    }
}
