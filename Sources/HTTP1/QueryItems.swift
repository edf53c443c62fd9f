/// The `name=value` pairs of a query or of a form (application/x-www-form-urlencoded), found one by one and decoded
/// only when asked for. A repeated name yields each of its pairs, in order.
import ByteText

package struct QueryItem: Hashable, Sendable {
    package let name: Range<Int>
    /// Empty if there is no `=`.
    package let value: Range<Int>
}

package struct QueryItems: ~Escapable {
    package let text: Span<UInt8>
    private var position = 0

    @_lifetime(copy text)
    package init(_ text: Span<UInt8>) { self.text = text }

    /// - Returns: the next pair that is not empty, still encoded, or nil at the end.
    package mutating func next() -> QueryItem? {
        while position < text.count {
            let start = position
            let end = text.firstIndex(of: 0x26, from: start) ?? text.count
            position = end + 1
            guard end > start else { continue }
            let equals = text.extracting(0..<end).firstIndex(of: 0x3D, from: start)
            return QueryItem(name: start..<(equals ?? end), value: (equals.map { $0 + 1 } ?? end)..<end)
        }
        return nil
    }

    /// The next pair whose decoded name is `name`, or nil at the end.
    package mutating func next(named name: Span<UInt8>) -> QueryItem? {
        while let item = next() {
            if Self.matches(text.extracting(item.name), name) { return item }
        }
        return nil
    }

    /// The decoded value of the first pair of that name. Nil if there is none, or if its encoding is broken.
    package static func value(_ text: Span<UInt8>, named name: Span<UInt8>) -> [UInt8]? {
        var items = QueryItems(text)
        guard let item = items.next(named: name) else { return nil }
        return text.extracting(item.value).percentDecoded(plusIsSpace: true)
    }

    /// The decoded values of all pairs of that name, in order. Nil if the encoding of one of them is broken.
    package static func values(_ text: Span<UInt8>, named name: Span<UInt8>) -> [[UInt8]]? {
        var items = QueryItems(text)
        var values: [[UInt8]] = []
        while let item = items.next(named: name) {
            guard let value = text.extracting(item.value).percentDecoded(plusIsSpace: true) else { return nil }
            values.append(value)
        }
        return values
    }

    /// Whether an encoded name stands for `name`. Names are seldom encoded, so nothing is decoded without need.
    private static func matches(_ encoded: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        // No encoding makes a text shorter, and one that makes it no longer can only stand for spaces.
        guard encoded.count > name.count else { return encoded.count == name.count && isSame(encoded, name) }
        guard encoded.firstIndex(of: 0x25) != nil || encoded.firstIndex(of: 0x2B) != nil else {
            return encoded.equals(name)
        }
        guard let decoded = encoded.percentDecoded(plusIsSpace: true) else { return false }
        return decoded.span.equals(name)
    }

    private static func isSame(_ encoded: Span<UInt8>, _ name: Span<UInt8>) -> Bool {
        for index in 0..<name.count {
            let byte = encoded[index]
            guard byte != 0x25, (byte == 0x2B ? 0x20 : byte) == name[index] else { return false }
        }
        return true
    }
}
