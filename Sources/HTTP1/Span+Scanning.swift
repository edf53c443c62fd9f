/// The inner loops of the parsers: eight bytes at a time where it pays.
import ByteText

extension Span<UInt8> {
    /// Eight bytes as one little-endian word. `offset + 8` must not be beyond the end; that is checked.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Four bytes as one little-endian word.
    @inline(__always)
    func halfWord(at offset: Int) -> UInt32 {
        UInt32(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
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

    /// Offset of the first byte at or behind `start` that is neither an ASCII letter nor a hyphen, or `count`: field
    /// names are seldom made of anything else.
    @inline(__always)
    func firstAfterLetters(from start: Int) -> Int {
        let every: UInt64 = 0x0101_0101_0101_0101
        let top = every &* 0x80
        var index = start
        while index <= count - 8 {
            let eight = word(at: index)
            let low = eight & ~top
            let folded = low | every &* 0x20
            // The top bit of each byte tells, without a carry into the next one, because `folded` and `low` have none.
            let fromA = folded &+ every &* (0x80 - 0x61)
            let behindZ = folded &+ every &* (0x80 - 0x7B)
            let noHyphen = (low ^ every &* 0x2D) &+ every &* 0x7F
            let others = ((behindZ | ~fromA) & noHyphen | eight) & top
            guard others == 0 else { return index + others.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < count, self[index].isASCIILetter || self[index] == 0x2D { index += 1 }
        return index
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
