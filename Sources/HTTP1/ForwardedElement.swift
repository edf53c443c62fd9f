/// One hop of a Forwarded field (RFC 7239 §4): where the values stand that a proxy decides on.
import ByteText

package struct ForwardedElement: Hashable, Sendable {
    /// What `for` names: an address with or without a port, `unknown`, or an obfuscated name. Without quotes.
    package private(set) var node: Range<Int>?
    package private(set) var scheme: Range<Int>?
    package private(set) var host: Range<Int>?

    /// The elements of a field's value, from the first hop to the last.
    ///
    /// - Returns: nil if the value breaks the grammar anywhere: whoever reads past that may read something else than
    ///   what was meant. White space around `;` is taken, since some write it.
    package static func elements(of text: Span<UInt8>) -> [ForwardedElement]? {
        var elements: [ForwardedElement] = []
        var element = ForwardedElement()
        var isEmpty = true
        var index = 0
        while true {
            while index < text.count, text[index].isBlank { index += 1 }
            if index == text.count || text[index] == 0x2C {
                if !isEmpty { elements.append(element) }
                guard index < text.count else { return elements }
                (element, isEmpty) = (ForwardedElement(), true)
                index += 1
            } else if text[index] == 0x3B {
                index += 1
            } else {
                guard element.readPair(text, &index) else { return nil }
                isEmpty = false
                while index < text.count, text[index].isBlank { index += 1 }
                guard index == text.count || text[index] == 0x3B || text[index] == 0x2C else { return nil }
            }
        }
    }

    /// `token "=" ( token / quoted-string )`, each name once in an element.
    private mutating func readPair(_ text: Span<UInt8>, _ index: inout Int) -> Bool {
        let start = index
        while index < text.count, ByteSet.token.contains(text[index]) { index += 1 }
        let name = text.extracting(start..<index)
        guard name.count > 0, index < text.count, text[index] == 0x3D else { return false }
        index += 1
        guard let value = Self.readValue(text, &index) else { return false }
        if name.equalsIgnoringCase("for") { return Self.set(&node, value) }
        if name.equalsIgnoringCase("proto") { return Self.set(&scheme, value) }
        if name.equalsIgnoringCase("host") { return Self.set(&host, value) }
        return true
    }

    private static func set(_ place: inout Range<Int>?, _ value: Range<Int>) -> Bool {
        guard place == nil else { return false }
        place = value
        return true
    }

    /// - Returns: the place of the value without its quotes. An escaped byte leaves its backslash in it, and with that
    ///   it is no address, scheme or host.
    private static func readValue(_ text: Span<UInt8>, _ index: inout Int) -> Range<Int>? {
        let start = index
        guard index < text.count, text[index] == 0x22 else {
            while index < text.count, ByteSet.token.contains(text[index]) { index += 1 }
            return index > start ? start..<index : nil
        }
        index += 1
        while index < text.count, text[index] != 0x22 { index += text[index] == 0x5C ? 2 : 1 }
        guard index < text.count else { return nil }
        index += 1
        return start + 1..<index - 1
    }
}
