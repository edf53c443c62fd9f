/// The `name=value` pairs of a Cookie field's value (RFC 6265 §4.2), byte by byte as they were sent: quotes stay,
/// nothing is decoded, and names are compared with regard to case.
package import ByteText

package struct CookieItem: Hashable, Sendable {
    package let name: Range<Int>
    package let value: Range<Int>
}

package struct CookieItems: ~Escapable {
    package let text: Span<UInt8>
    private var position = 0

    @_lifetime(copy text)
    package init(_ text: Span<UInt8>) { self.text = text }

    /// - Returns: the next pair that has a `=` and a name, or nil at the end.
    package mutating func next() -> CookieItem? {
        while position < text.count {
            let end = text.firstIndex(of: 0x3B, from: position) ?? text.count
            let pair = text.trimmed(position..<end)
            position = end + 1
            let equals = text.extracting(0..<pair.upperBound).firstIndex(of: 0x3D, from: pair.lowerBound)
            guard let equals, equals > pair.lowerBound else { continue }
            return CookieItem(
                name: text.trimmed(pair.lowerBound..<equals), value: text.trimmed(equals + 1..<pair.upperBound))
        }
        return nil
    }

    /// The place of the first value of that name, or nil.
    package static func value(_ text: Span<UInt8>, named name: Span<UInt8>) -> Range<Int>? {
        var items = CookieItems(text)
        while let item = items.next() {
            if text.extracting(item.name).equals(name) { return item.value }
        }
        return nil
    }
}

extension FieldLines {
    /// The place of the first cookie of that name in all Cookie fields, or nil.
    package func cookie(named name: Span<UInt8>) -> ByteRange? {
        guard has(.cookie) else { return nil }
        for line in lines where line.name == .cookie {
            let start = line.valueRange.indices.lowerBound
            if let place = CookieItems.value(value(of: line), named: name) {
                return ByteRange(start + place.lowerBound..<start + place.upperBound)
            }
        }
        return nil
    }
}
