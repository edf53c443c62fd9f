/// Finds the end of a head or a trailer section in bytes that come in pieces, and refuses what is too long as early as
/// it is known to be. The same bytes and more are lent at each call, yet each is looked at once: O(n) in all.
import ByteText

package struct HeadScanner: Hashable, Sendable {
    /// What the lines belong to, which decides the names of its limits.
    package enum Section: UInt8, Sendable {
        /// A first line, then fields.
        case head
        /// Fields only.
        case trailers
    }

    /// No line ends between `lineStart` and here.
    private var scanned: UInt32 = 0
    private var lineStart: UInt32 = 0
    /// Whole lines seen, the empty one at the end not counted.
    private(set) package var lineCount: UInt32 = 0

    package init() {}

    /// Whether no byte was seen yet.
    package var isFresh: Bool { scanned == 0 }

    /// Goes on looking for the empty line.
    ///
    /// - Parameter bytes: the section from its first byte on, and whatever follows it.
    /// - Returns: the section's length with its empty line, or nil if more bytes are needed.
    package mutating func end(
        in bytes: Span<UInt8>, _ section: Section, _ limits: borrowing HeadLimits
    ) throws(HTTPError) -> Int? {
        while true {
            let start = Int(lineStart)
            let bound = Swift.min(start + lineLimit(section, limits) + 2, sectionLimit(section, limits))
            guard let lineFeed = bytes.firstIndex(of: .lineFeed, from: Int(scanned)) else {
                guard bytes.count < bound else { throw tooLong(section, limits) }
                scanned = UInt32(bytes.count)
                return nil
            }
            guard lineFeed < bound else { throw tooLong(section, limits) }
            guard lineFeed > start, bytes[lineFeed - 1] == .carriageReturn else { throw .bareLineFeed }
            scanned = UInt32(lineFeed + 1)
            lineStart = scanned
            if lineFeed - start == 1 { return lineFeed + 1 }
            lineCount += 1
            try checkCount(section, limits)
        }
    }

    private func lineLimit(_ section: Section, _ limits: borrowing HeadLimits) -> Int {
        section == .head && lineCount == 0 ? limits.lineBytesLimit : limits.fieldBytesLimit
    }

    private func sectionLimit(_ section: Section, _ limits: borrowing HeadLimits) -> Int {
        section == .head ? limits.headBytesLimit : limits.trailerBytesLimit
    }

    /// The limit that is met first in the order of the bytes, so that the answer does not depend on how they were cut.
    private func tooLong(_ section: Section, _ limits: borrowing HeadLimits) -> HTTPError {
        let line = lineLimit(section, limits)
        guard section == .head else { return .trailersTooLong(limit: limits.trailerBytesLimit) }
        guard Int(lineStart) + line + 2 <= limits.headBytesLimit else {
            return .headTooLong(limit: limits.headBytesLimit)
        }
        return lineCount == 0 ? .lineTooLong(limit: line) : .fieldTooLong(limit: line)
    }

    private func checkCount(_ section: Section, _ limits: borrowing HeadLimits) throws(HTTPError) {
        switch section {
        case .head where Int(lineCount) - 1 > limits.fieldCountLimit:
            throw .tooManyFields(limit: limits.fieldCountLimit)
        case .trailers where Int(lineCount) > limits.fieldCountLimit:
            throw .tooManyTrailers(limit: limits.fieldCountLimit)
        default: break
        }
    }
}
