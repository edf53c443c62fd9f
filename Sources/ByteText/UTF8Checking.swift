/// Well-formedness of UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing above U+10FFFF.

extension Span<UInt8> {
    /// Whether all bytes are well-formed UTF-8. O(n).
    package var isUTF8: Bool {
        var index = 0
        while index < count {
            guard let length = lengthOfUTF8Sequence(at: index) else { return false }
            index += length
        }
        return true
    }

    /// The length of the well-formed sequence that begins at `index`, 1 to 4, or nil.
    package func lengthOfUTF8Sequence(at index: Int) -> Int? {
        func continues(_ offset: Int, _ low: UInt8 = 0x80, _ high: UInt8 = 0xBF) -> Bool {
            index + offset < count && self[index + offset] >= low && self[index + offset] <= high
        }
        switch self[index] {
        case 0..<0x80: return 1
        case 0xC2...0xDF: return continues(1) ? 2 : nil
        case 0xE0: return continues(1, 0xA0) && continues(2) ? 3 : nil
        case 0xED: return continues(1, 0x80, 0x9F) && continues(2) ? 3 : nil
        case 0xE1...0xEF: return continues(1) && continues(2) ? 3 : nil
        case 0xF0: return continues(1, 0x90) && continues(2) && continues(3) ? 4 : nil
        case 0xF1...0xF3: return continues(1) && continues(2) && continues(3) ? 4 : nil
        case 0xF4: return continues(1, 0x80, 0x8F) && continues(2) && continues(3) ? 4 : nil
        default: return nil
        }
    }
}
