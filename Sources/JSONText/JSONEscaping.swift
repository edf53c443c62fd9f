/// JSON strings: writing text as one, and reading the text of one (RFC 8259 §7).
import ByteText

extension [UInt8] {
    /// Appends `text`, which is UTF-8, as a JSON string with its quotes. Quotes, backslashes and control characters are
    /// escaped; U+2028 and U+2029 too, since a script that the string is put into would take them for line ends.
    package mutating func append(jsonEscaped text: Span<UInt8>) {
        append(0x22)
        var start = 0
        var index = 0
        while index < text.count {
            let byte = text[index]
            let isSeparator =
                byte == 0xE2 && index + 2 < text.count && text[index + 1] == 0x80 && text[index + 2] & 0xFE == 0xA8
            guard byte < 0x20 || byte == 0x22 || byte == 0x5C || isSeparator else {
                index += 1
                continue
            }
            append(text.extracting(start..<index))
            if isSeparator {
                append(text[index + 2] == 0xA8 ? "\\u2028" : "\\u2029")
                index += 3
            } else {
                appendEscape(of: byte)
                index += 1
            }
            start = index
        }
        append(text.extracting(start...))
        append(0x22)
    }

    /// Appends a string as a JSON string.
    package mutating func append(jsonText text: String) {
        let bytes = Array(text.utf8)
        append(jsonEscaped: bytes.span)
    }

    private mutating func appendEscape(of byte: UInt8) {
        switch byte {
        case 0x22: append("\\\"")
        case 0x5C: append("\\\\")
        case 0x0A: append("\\n")
        case 0x0D: append("\\r")
        case 0x09: append("\\t")
        default:
            append(byte < 0x10 ? "\\u000" : "\\u00")
            append(hexadecimal: UInt64(byte))
        }
    }
}

extension Span<UInt8> {
    /// The text of a valid JSON string's inside, escapes resolved. A lone surrogate becomes U+FFFD.
    var jsonUnescaped: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(count)
        var index = 0
        while index < count {
            guard self[index] == 0x5C, index + 1 < count else {
                text.append(self[index])
                index += 1
                continue
            }
            let letter = self[index + 1]
            index += 2
            switch letter {
            case 0x62: text.append(0x08)
            case 0x66: text.append(0x0C)
            case 0x6E: text.append(0x0A)
            case 0x72: text.append(0x0D)
            case 0x74: text.append(0x09)
            case 0x75: text.append(contentsOf: unescapedScalar(&index).utf8)
            default: text.append(letter)
            }
        }
        return text
    }

    /// The scalar of the four digits at `index`, and of a second escape if the two are a surrogate pair.
    private func unescapedScalar(_ index: inout Int) -> String {
        let first = hexadecimalUnit(at: index)
        index += 4
        if let scalar = Unicode.Scalar(first) { return String(Character(scalar)) }
        guard first < 0xDC00, index + 6 <= count, self[index] == 0x5C, self[index + 1] == 0x75 else {
            return "\u{FFFD}"
        }
        let second = hexadecimalUnit(at: index + 2)
        guard (0xDC00..<0xE000).contains(second) else { return "\u{FFFD}" }
        index += 6
        let value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        return Unicode.Scalar(value).map { String(Character($0)) } ?? "\u{FFFD}"
    }

    private func hexadecimalUnit(at start: Int) -> UInt32 {
        var unit: UInt32 = 0
        for index in start..<Swift.min(start + 4, count) {
            unit = unit << 4 | UInt32(self[index].hexadecimalValue ?? 0)
        }
        return unit
    }
}
