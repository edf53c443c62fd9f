/// The grammar of chunk lines (RFC 9112 §7.1), one byte at a time: 1 to 16 hexadecimal digits, extensions as
/// `;name`, `;name=token` or `;name="quoted"` without white space between them, CRLF. No byte is optional.
import ByteText

extension BodyReader {
    /// Takes one byte outside of a chunk's data.
    mutating func read(_ byte: UInt8, _ limits: borrowing HeadLimits) throws(HTTPError) {
        switch state {
        case .chunkCR:
            guard byte == .carriageReturn else { throw .malformedChunkEnd }
            state = .chunkLF
        case .chunkLF:
            guard byte == .lineFeed else { throw .malformedChunkEnd }
            beginLine()
        case .sizeEnd:
            guard byte == .lineFeed else { throw .bareCarriageReturn }
            state = remaining == 0 ? .trailers : .chunk
        default:
            try readLine(byte)
            guard state != .sizeEnd else { return }
            lineBytes += 1
            guard Int(lineBytes) <= limits.chunkLineBytesLimit else {
                throw .chunkLineTooLong(limit: limits.chunkLineBytesLimit)
            }
        }
    }

    private mutating func beginLine() {
        state = .size
        digits = 0
        lineBytes = 0
        remaining = 0
    }

    private mutating func readLine(_ byte: UInt8) throws(HTTPError) {
        switch state {
        case .size, .sizeDigits: try readSize(byte)
        case .extensionStart:
            guard ByteSet.token.contains(byte) else { throw .malformedChunkExtension }
            state = .extensionName
        case .extensionName where byte == 0x3D: state = .valueStart
        case .extensionName, .valueToken:
            if !ByteSet.token.contains(byte) { try endExtension(byte) }
        case .valueStart where byte == 0x22: state = .quoted
        case .valueStart:
            guard ByteSet.token.contains(byte) else { throw .malformedChunkExtension }
            state = .valueToken
        case .quoted where byte == 0x22: state = .quotedEnd
        case .quoted where byte == 0x5C: state = .quotedPair
        case .quoted, .quotedPair:
            guard !byte.isControl else { throw .malformedChunkExtension }
            state = .quoted
        default: try endExtension(byte)
        }
    }

    private mutating func readSize(_ byte: UInt8) throws(HTTPError) {
        if let digit = byte.hexadecimalValue {
            digits += 1
            // Sixteen digits fill the word; a size beyond what a signed counter holds is no real one.
            guard digits <= 16, remaining <= UInt64(Int64.max) >> 4 else { throw .chunkTooLong }
            remaining = remaining << 4 | UInt64(digit)
            state = .sizeDigits
            return
        }
        guard state == .sizeDigits, byte == .carriageReturn || byte == 0x3B else { throw .malformedChunkSize }
        try endExtension(byte)
    }

    /// Behind a whole size or extension only another extension or the line's end may come.
    private mutating func endExtension(_ byte: UInt8) throws(HTTPError) {
        switch byte {
        case 0x3B: state = .extensionStart
        case .carriageReturn: state = .sizeEnd
        default: throw .malformedChunkExtension
        }
    }
}
