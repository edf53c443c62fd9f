/// How long heads, lines and trailers may be. One more than a limit is refused.
package struct HeadLimits: Hashable, Sendable {
    /// The first line, without its CRLF.
    package let lineBytesLimit: Int
    /// One field line, without its CRLF.
    package let fieldBytesLimit: Int
    /// The whole head with all its line ends.
    package let headBytesLimit: Int
    package let fieldCountLimit: Int
    /// Empty lines before a request (RFC 9112 §2.2).
    package let leadingEmptyLinesLimit: Int
    /// A chunk's size and extensions, without CRLF.
    package let chunkLineBytesLimit: Int
    /// The whole trailer section with its line ends. It may hold as many lines as a head.
    package let trailerBytesLimit: Int
    /// Interim responses before the one that counts.
    package let interimCountLimit: Int

    /// The defaults for requests.
    package init(
        lineBytesLimit: Int = 16 << 10, fieldBytesLimit: Int = 16 << 10, headBytesLimit: Int = 64 << 10,
        fieldCountLimit: Int = 100, leadingEmptyLinesLimit: Int = 4, chunkLineBytesLimit: Int = 4 << 10,
        trailerBytesLimit: Int = 8 << 10, interimCountLimit: Int = 16
    ) {
        let greatest = max(lineBytesLimit, fieldBytesLimit, headBytesLimit, max(chunkLineBytesLimit, trailerBytesLimit))
        precondition(greatest <= 1 << 30, "places in a head are kept in 32 bits")
        precondition(max(leadingEmptyLinesLimit, interimCountLimit) <= 255, "these counts are kept in 8 bits")
        self.lineBytesLimit = lineBytesLimit
        self.fieldBytesLimit = fieldBytesLimit
        self.headBytesLimit = headBytesLimit
        self.fieldCountLimit = fieldCountLimit
        self.leadingEmptyLinesLimit = leadingEmptyLinesLimit
        self.chunkLineBytesLimit = chunkLineBytesLimit
        self.trailerBytesLimit = trailerBytesLimit
        self.interimCountLimit = interimCountLimit
    }

    package static let requests = HeadLimits()
    package static let responses = HeadLimits(
        lineBytesLimit: 64 << 10, fieldBytesLimit: 64 << 10, headBytesLimit: 64 << 10, fieldCountLimit: 200)
}
