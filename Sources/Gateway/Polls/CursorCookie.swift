/// The cookie by which a browser keeps the cursor for a page that knows none (`cursor: cookie`).
import ByteText
package import Polling

package enum CursorCookie {
    /// Appends a Set-Cookie field's value.
    package static func append(name: [UInt8], epoch: Epoch, number: UInt64, to text: inout [UInt8]) {
        text.append(contentsOf: name)
        text.append("=")
        Cursor(epoch: epoch, number: number).append(to: &text)
        // No script needs it, and no other site's request may carry it.
        text.append("; Path=/; HttpOnly; SameSite=Lax")
    }
}
