/// The elements of a comma-separated field value (RFC 9110 §5.6.1) one by one, without white space; empty ones are
/// skipped. Commas inside quoted strings are not told apart: use it for lists of tokens.
import ByteText

package struct ListField: ~Escapable {
    package let text: Span<UInt8>
    private var position = 0

    @_lifetime(copy text)
    package init(_ text: Span<UInt8>) { self.text = text }

    /// - Returns: the place of the next element in `text`, or nil at the end.
    package mutating func next() -> Range<Int>? {
        while position < text.count {
            let end = text.firstIndex(of: 0x2C, from: position) ?? text.count
            let element = text.trimmed(position..<end)
            position = end + 1
            if !element.isEmpty { return element }
        }
        return nil
    }

    /// Whether an element is `token`, letters of either case being the same. `token` is in lower case.
    package static func contains(_ text: Span<UInt8>, _ token: StaticString) -> Bool {
        var list = ListField(text)
        while let element = list.next() {
            if text.extracting(element).equalsIgnoringCase(token) { return true }
        }
        return false
    }
}
