/// Reading field lines (RFC 9112 §5): strict, in one pass, by ranges.
import ByteText

extension FieldLines {
    /// Takes over a section whose end is known.
    ///
    /// - Parameters:
    ///   - section: the section's bytes up to and with the empty line that ends it. Each of its lines ends in CRLF.
    ///   - start: offset of the first field line in `section`.
    mutating func parse(_ section: Span<UInt8>, from start: Int) throws(HTTPError) {
        removeAll()
        bytes.append(section)
        var index = start
        while index < section.count - 2 { index = try parseLine(section, index) }
    }

    /// - Returns: offset of the next line.
    @inline(__always)
    private mutating func parseLine(_ section: Span<UInt8>, _ start: Int) throws(HTTPError) -> Int {
        var index = start
        var hasOddByte = false
        while true {
            index = section.firstAfterLetters(from: index)
            guard index < section.count, ByteSet.token.contains(section[index]) else { break }
            if !section[index].isDecimalDigit { hasOddByte = true }
            index += 1
        }
        let name = start..<index
        guard index < section.count, section[index] == .colon, !name.isEmpty else {
            throw Self.fault(section, inLineAt: start, stop: index)
        }
        index += 1
        while index < section.count, section[index].isBlank { index += 1 }
        let valueStart = index
        index = section.firstControl(from: index)
        guard index + 1 < section.count, section[index] == .carriageReturn, section[index + 1] == .lineFeed else {
            throw index < section.count && section[index] == .carriageReturn ? .bareCarriageReturn : .controlInField
        }
        var valueEnd = index
        while valueEnd > valueStart, section[valueEnd - 1].isBlank { valueEnd -= 1 }
        append(
            FieldLine(
                name: FieldName(section, name), hasOddByte: hasOddByte, nameRange: ByteRange(name),
                valueRange: ByteRange(valueStart..<valueEnd)))
        return index + 2
    }

    /// Which rule a line breaks whose name is not followed by a colon.
    private static func fault(_ section: Span<UInt8>, inLineAt start: Int, stop: Int) -> HTTPError {
        guard stop < section.count else { return .missingColon }
        switch section[stop] {
        case .carriageReturn:
            return stop + 1 < section.count && section[stop + 1] == .lineFeed ? .missingColon : .bareCarriageReturn
        case .colon: return .emptyFieldName
        case .space, 0x09: return stop == start ? .leadingWhitespace : .malformedFieldName
        default: return .malformedFieldName
        }
    }
}
