/// Writing chunked content (RFC 9112 §7.1).
import ByteText

extension HTTPWriter {
    /// The size line of a chunk of `count` bytes, which is not 0: that would end the content.
    package mutating func beginChunk(count: Int) {
        precondition(count > 0, "an empty chunk ends the content")
        bytes.append(hexadecimal: UInt64(count))
        bytes.append("\r\n")
    }

    package mutating func endChunk() { bytes.append("\r\n") }

    /// A whole chunk. Nothing is written for no content.
    package mutating func chunk(_ content: Span<UInt8>) {
        guard content.count > 0 else { return }
        beginChunk(count: content.count)
        bytes.append(content)
        endChunk()
    }

    /// The last chunk of content that is whole, without trailers.
    package mutating func lastChunk() { bytes.append("0\r\n\r\n") }

    /// The last chunk of content that may have trailer fields; they follow, and `endOfHead` behind them.
    package mutating func beginTrailers() { bytes.append("0\r\n") }
}
