/// A field value with parameters: `value; name=token; name="text"` (RFC 9110 §5.6.6).
import ByteText

package struct FieldParameters {
    /// What stands before the first semicolon.
    package let value: Range<Int>
    /// Names as they were sent; values without their quotes, `\"` and `\\` resolved. Another backslash stays, since old
    /// programs send paths of files with them.
    package private(set) var parameters: [(name: Range<Int>, value: [UInt8])] = []

    /// Nil if the grammar is broken or a name stands twice: somebody else might read that differently.
    package init?(_ text: Span<UInt8>) {
        let end = text.firstIndex(of: 0x3B) ?? text.count
        value = Self.trimmed(text, 0..<end)
        var index = end
        while true {
            while index < text.count, text[index].isBlank || text[index] == 0x3B { index += 1 }
            guard index < text.count else { return }
            let start = index
            while index < text.count, ByteSet.token.contains(text[index]) { index += 1 }
            let name = start..<index
            guard !name.isEmpty, index < text.count, text[index] == 0x3D else { return nil }
            index += 1
            guard let value = Self.value(text, &index), self[text.extracting(name), text] == nil else { return nil }
            parameters.append((name, value))
            while index < text.count, text[index].isBlank { index += 1 }
            guard index == text.count || text[index] == 0x3B else { return nil }
        }
    }

    /// The value of a parameter, given in any case, of the text that was read.
    package subscript(_ name: Span<UInt8>, _ text: Span<UInt8>) -> [UInt8]? {
        for parameter in parameters {
            let other = text.extracting(parameter.name)
            guard other.count == name.count else { continue }
            var isEqual = true
            for index in 0..<name.count where name[index].asciiLowercased != other[index].asciiLowercased {
                isEqual = false
            }
            if isEqual { return parameter.value }
        }
        return nil
    }

    private static func value(_ text: Span<UInt8>, _ index: inout Int) -> [UInt8]? {
        var value: [UInt8] = []
        guard index < text.count, text[index] == 0x22 else {
            while index < text.count, ByteSet.token.contains(text[index]) {
                value.append(text[index])
                index += 1
            }
            return value.isEmpty ? nil : value
        }
        index += 1
        while index < text.count, text[index] != 0x22 {
            let isEscape =
                text[index] == 0x5C && index + 1 < text.count && (text[index + 1] == 0x22 || text[index + 1] == 0x5C)
            if isEscape { index += 1 }
            value.append(text[index])
            index += 1
        }
        guard index < text.count else { return nil }
        index += 1
        return value
    }

    private static func trimmed(_ text: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, text[start].isBlank { start += 1 }
        while end > start, text[end - 1].isBlank { end -= 1 }
        return start..<end
    }
}
