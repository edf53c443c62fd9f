/// The inner loops of the parsers: eight bytes at a time where it pays.

extension Span<UInt8> {
    /// Eight bytes as one little-endian word. `offset + 8` must not be beyond the end; that is checked.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Offset of the first byte at or behind `start` that may not stand in a field value (RFC 9110 §5.5), or `count`:
    /// a control other than HTAB, or DEL.
    func firstControl(from start: Int) -> Int {
        let every: UInt64 = 0x0101_0101_0101_0101
        var index = start
        while index <= count - 8 {
            let eight = word(at: index)
            let deleted = eight ^ (every &* 0x7F)
            let belowSpace = (eight &- every &* 0x20) & ~eight
            let isDelete = (deleted &- every) & ~deleted
            if (belowSpace | isDelete) & (every &* 0x80) == 0 {
                index += 8
                continue
            }
            for place in index..<index + 8 where self[place].isControl { return place }
            index += 8
        }
        while index < count, !self[index].isControl { index += 1 }
        return index
    }

    /// Whether the bytes from `start` on begin with `text`, letters of either case being the same. `text` holds
    /// lower-case letters, digits and hyphens only, and the bytes are known to be token bytes: then setting bit 5
    /// folds case exactly.
    @inline(__always)
    func folds(to text: StaticString, from start: Int) -> Bool {
        let length = text.utf8CodeUnitCount
        let letters = unsafe UnsafeRawPointer(text.utf8Start)
        let caseBits: UInt64 = 0x2020_2020_2020_2020
        guard length >= 8 else {
            for index in 0..<length {
                let expected = unsafe letters.load(fromByteOffset: index, as: UInt8.self)
                if self[start + index] | 0x20 != expected { return false }
            }
            return true
        }
        var index = 0
        while index < length {
            let place = Swift.min(index, length - 8)
            let expected = unsafe letters.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            guard word(at: start + place) | caseBits == UInt64(littleEndian: expected) else { return false }
            index += 8
        }
        return true
    }

    /// The part of `range` without optional whitespace (SP, HTAB) at both ends.
    @inline(__always)
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var start = range.lowerBound
        var end = range.upperBound
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    /// Whether every byte is a token byte and there is at least one.
    var isToken: Bool {
        for index in 0..<count where !ByteSet.token.contains(self[index]) { return false }
        return count > 0
    }
}

extension UInt8 {
    /// A control other than HTAB, or DEL.
    @inline(__always)
    var isControl: Bool { (self < 0x20 && self != 0x09) || self == 0x7F }

    /// OWS of RFC 9110 §5.6.3.
    @inline(__always)
    var isBlank: Bool { self == 0x20 || self == 0x09 }

    @inline(__always) static var lineFeed: UInt8 { 0x0A }
    @inline(__always) static var carriageReturn: UInt8 { 0x0D }
    @inline(__always) static var space: UInt8 { 0x20 }
    @inline(__always) static var colon: UInt8 { 0x3A }
    @inline(__always) static var slash: UInt8 { 0x2F }
    @inline(__always) static var questionMark: UInt8 { 0x3F }
}
