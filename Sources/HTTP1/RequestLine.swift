/// A request line (RFC 9112 §3): token, one space, target, one space, version, CRLF, and nothing else.
import ByteText

/// The forms of a request target that are accepted (RFC 9112 §3.2). The authority form belongs to CONNECT alone.
package enum TargetForm: UInt8, Hashable, Sendable {
    /// `/path?query`
    case origin
    /// `http://host/path?query`
    case absolute
    /// `*`, for OPTIONS
    case asterisk
}

struct RequestLine {
    var method = Method.other
    var version = HTTPVersion.http11
    var form = TargetForm.origin
    var methodRange = ByteRange.empty
    var targetRange = ByteRange.empty
    /// Only in absolute form.
    var authorityRange = ByteRange.empty
    /// Empty in absolute form without a path, and in asterisk form.
    var pathRange = ByteRange.empty
    /// What follows the first `?`, without it. Nil if there is none.
    var queryRange: ByteRange?
    /// Offset of the line that follows.
    var end = 0

    init() {}

    /// - Parameter bytes: begins with the line, which is known to end in CRLF.
    init(_ bytes: Span<UInt8>) throws(HTTPError) {
        var index = 0
        while index < bytes.count, ByteSet.token.contains(bytes[index]) { index += 1 }
        guard index > 0, Self.byte(bytes, index) == .space else { throw Self.fault(bytes, index, .malformedMethod) }
        methodRange = ByteRange(0..<index)
        method = Method(bytes.extracting(0..<index))
        let start = index + 1
        index = start
        while index < bytes.count, ByteSet.target.contains(bytes[index]) { index += 1 }
        let stop = Self.byte(bytes, index)
        guard index > start, stop == .space else {
            let cut = index > start && stop == .carriageReturn && Self.byte(bytes, index + 1) == .lineFeed
            throw cut ? .missingVersion : Self.fault(bytes, index, .malformedTarget)
        }
        targetRange = ByteRange(start..<index)
        try readVersion(bytes, index + 1)
        guard method != .connect else { throw .connectRefused }
        try splitTarget(bytes, start..<index)
    }

    private mutating func readVersion(_ bytes: Span<UInt8>, _ start: Int) throws(HTTPError) {
        // "HTTP/1.1" and "HTTP/1.0" as little-endian words.
        guard start + 10 <= bytes.count, bytes[start + 8] == .carriageReturn, bytes[start + 9] == .lineFeed else {
            throw Self.versionFault(bytes, start)
        }
        switch bytes.word(at: start) {
        case 0x312E_312F_5054_5448: version = .http11
        case 0x302E_312F_5054_5448: version = .http10
        default: throw Self.versionFault(bytes, start)
        }
        end = start + 10
    }

    private mutating func splitTarget(_ bytes: Span<UInt8>, _ target: Range<Int>) throws(HTTPError) {
        var pathStart = target.lowerBound
        if bytes[pathStart] != .slash {
            if target.count == 1, bytes[pathStart] == 0x2A {
                guard method == .options else { throw .malformedTarget }
                form = .asterisk
                return
            }
            pathStart = try readAuthority(bytes, target)
        }
        var pathEnd = target.upperBound
        for index in pathStart..<target.upperBound where bytes[index] == .questionMark {
            pathEnd = index
            queryRange = ByteRange(index + 1..<target.upperBound)
            break
        }
        pathRange = ByteRange(pathStart..<pathEnd)
    }

    /// - Returns: offset behind the authority.
    private mutating func readAuthority(_ bytes: Span<UInt8>, _ target: Range<Int>) throws(HTTPError) -> Int {
        let whole = bytes.extracting(target)
        let prefix: Int
        if whole.count > 7, whole.extracting(0..<7).equalsIgnoringCase("http://") {
            prefix = 7
        } else if whole.count > 8, whole.extracting(0..<8).equalsIgnoringCase("https://") {
            prefix = 8
        } else {
            throw .malformedTarget
        }
        form = .absolute
        let start = target.lowerBound + prefix
        var end = start
        while end < target.upperBound, bytes[end] != .slash, bytes[end] != .questionMark { end += 1 }
        guard AuthorityText(bytes.extracting(start..<end)) != nil else { throw .malformedHost }
        authorityRange = ByteRange(start..<end)
        return end
    }

    private static func byte(_ bytes: Span<UInt8>, _ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    /// A CR in the middle of the line is named as such, whatever else is wrong there.
    private static func fault(_ bytes: Span<UInt8>, _ index: Int, _ fault: HTTPError) -> HTTPError {
        byte(bytes, index) == .carriageReturn && byte(bytes, index + 1) != .lineFeed ? .bareCarriageReturn : fault
    }

    /// `HTTP/` DIGIT `.` DIGIT and CRLF is a version that is not spoken; anything else is none.
    private static func versionFault(_ bytes: Span<UInt8>, _ start: Int) -> HTTPError {
        var end = start
        while end < bytes.count, bytes[end] != .carriageReturn { end += 1 }
        guard byte(bytes, end + 1) == .lineFeed else { return .bareCarriageReturn }
        let text = bytes.extracting(start..<end)
        guard text.count == 8, text.extracting(0..<5).equals("HTTP/"), text[5].isDecimalDigit, text[6] == 0x2E,
            text[7].isDecimalDigit
        else { return .malformedVersion }
        return .unsupportedVersion
    }
}
