/// Reads one message's content out of bytes that come in pieces (RFC 9112 §6, §7).
///
/// Chunked coding is read byte by byte up to each chunk's data, so nothing of it has to be kept, and an error is found
/// at its first byte however the bytes were cut. Only a trailer section waits until it is whole.
import ByteText

package struct BodyReader: Hashable, Sendable {
    package enum Event: Hashable, Sendable {
        case needsMore
        /// Content at these places of the bytes lent.
        case content(Range<Int>)
        case end
    }

    enum State: UInt8, Hashable, Sendable {
        /// `remaining` bytes are left.
        case length
        case untilClose
        /// At the first digit of a chunk's size; then behind one to sixteen digits.
        case size, sizeDigits
        /// Behind `;`, inside a name, behind `=`, inside a token, inside quotes, behind a backslash, behind the quotes.
        case extensionStart, extensionName, valueStart, valueToken, quoted, quotedPair, quotedEnd
        /// Behind the CR of the size line.
        case sizeEnd
        /// `remaining` bytes of the chunk are left; then its CR, then its LF.
        case chunk, chunkCR, chunkLF
        case trailers
        case end
    }

    var state: State
    /// Of a chunk's size line.
    var digits: UInt8 = 0
    /// Bytes left of the content or of the chunk.
    var remaining: UInt64 = 0
    /// Bytes of the chunk's size line so far.
    var lineBytes: UInt32 = 0
    private var scanner = HeadScanner()

    package init(_ framing: BodyFraming) {
        switch framing {
        case .none: state = .end
        case .length(let count):
            state = count == 0 ? .end : .length
            remaining = count
        case .chunked: state = .size
        case .untilClose: state = .untilClose
        }
    }

    package var isAtEnd: Bool { state == .end }
    /// Whether the end of the connection is the end of the content.
    package var endsWithConnection: Bool { state == .untilClose || state == .end }

    /// Goes on reading.
    ///
    /// - Parameters:
    ///   - position: offset of the first byte that was not consumed; moved behind what this call consumes.
    ///   - trailers: at the end filled with this content's trailer fields, or emptied if it has none. It is a scratch
    ///     that other connections' readers use too.
    package mutating func next(
        _ bytes: Span<UInt8>, _ position: inout Int, trailers: inout FieldLines, limits: borrowing HeadLimits
    ) throws(HTTPError) -> Event {
        var hasTrailers = false
        while true {
            switch state {
            case .end:
                if !hasTrailers, !trailers.isEmpty { trailers.removeAll() }
                return .end
            case .length, .chunk: return content(bytes, &position)
            case .untilClose:
                guard position < bytes.count else { return .needsMore }
                defer { position = bytes.count }
                return .content(position..<bytes.count)
            case .trailers:
                guard try readTrailers(bytes, &position, &trailers, limits) else { return .needsMore }
                hasTrailers = true
            default:
                guard position < bytes.count else { return .needsMore }
                try read(bytes[position], limits)
                position += 1
            }
        }
    }

    private mutating func content(_ bytes: Span<UInt8>, _ position: inout Int) -> Event {
        let available = bytes.count - position
        guard available > 0 else { return .needsMore }
        let count = Int(Swift.min(UInt64(available), remaining))
        let range = position..<position + count
        position += count
        remaining -= UInt64(count)
        if remaining == 0 { state = state == .chunk ? .chunkCR : .end }
        return .content(range)
    }

    /// - Returns: false if more bytes are needed.
    private mutating func readTrailers(
        _ bytes: Span<UInt8>, _ position: inout Int, _ trailers: inout FieldLines, _ limits: borrowing HeadLimits
    ) throws(HTTPError) -> Bool {
        let rest = bytes.extracting(position..<bytes.count)
        guard let length = try scanner.end(in: rest, .trailers, limits) else { return false }
        if length > 2 {
            try trailers.parse(rest.extracting(0..<length), from: 0)
            for line in trailers.lines where !line.name.isTrailer || !trailers.lookalike(of: line).isTrailer {
                throw .forbiddenTrailer
            }
        } else if !trailers.isEmpty {
            trailers.removeAll()
        }
        position += length
        state = .end
        return true
    }
}
