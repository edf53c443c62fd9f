/// Finding a field name among the known ones: by length, then by a few words, without allocation.
import ByteText

extension FieldName {
    /// - Parameter range: where the name stands in `bytes`; it is known to consist of token bytes.
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        guard range.count >= 2, range.count <= 24 else {
            self = .other
            return
        }
        let name = FoldedName(bytes, range)
        self = range.count <= 12 ? Self.find(name, range.count) : Self.findLong(name, range.count)
    }

    private static func find(_ name: FoldedName, _ length: Int) -> FieldName {
        switch length {
        case 2: name.one(of: .te)
        case 3: name.one(of: .via)
        case 4: name.one(of: .host, .date, .vary)
        case 5: name.one(of: .range)
        case 6: name.one(of: .cookie, .origin, .expect, .server)
        case 7: name.one(of: .referer, .upgrade, .trailer)
        case 8: name.one(of: .location)
        case 9: name.one(of: .forwarded, .xRealIP)
        case 10: name.one(of: .connection, .setCookie, .keepAlive)
        case 11: name.one(of: .retryAfter)
        case 12: name.one(of: .contentType, .xRequestID, .maxForwards)
        default: .other
        }
    }

    private static func findLong(_ name: FoldedName, _ length: Int) -> FieldName {
        switch length {
        case 13: name.one(of: .cacheControl, .authorization, .contentRange, .ifNoneMatch)
        case 14: name.one(of: .contentLength, .http2Settings)
        case 15: name.one(of: .xForwardedFor)
        case 16: name.one(of: .contentEncoding, .xForwardedHost, .xForwardedPort, .proxyConnection)
        case 17: name.one(of: .transferEncoding, .xForwardedProto, .ifModifiedSince, .secWebSocketKey)
        case 18: name.one(of: .proxyAuthenticate)
        case 19: name.one(of: .proxyAuthorization)
        case 20: name.one(of: .secWebSocketAccept)
        case 21: name.one(of: .secWebSocketVersion)
        case 22: name.one(of: .secWebSocketProtocol)
        case 24: name.one(of: .secWebSocketExtensions)
        default: .other
        }
    }
}

/// A name of 2 to 24 token bytes in lower case as three words: two names of the same length are equal if and only if
/// their words are. Setting bit 5 folds case exactly where one of both is known to be made of lower-case letters,
/// digits and hyphens: no other token byte becomes one of these.
private struct FoldedName {
    let first: UInt64
    let middle: UInt64
    let last: UInt64

    @inline(__always)
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        let start = range.lowerBound
        let end = range.upperBound
        let caseBits: UInt64 = 0x2020_2020_2020_2020
        if range.count >= 8 {
            first = bytes.word(at: start) | caseBits
            middle = bytes.word(at: range.count > 16 ? start + 8 : start) | caseBits
            last = bytes.word(at: end - 8) | caseBits
        } else if range.count >= 4 {
            first = UInt64(bytes.halfWord(at: start)) | caseBits
            middle = 0
            last = UInt64(bytes.halfWord(at: end - 4)) | caseBits
        } else {
            first = UInt64(bytes[start]) | UInt64(bytes[start + 1]) << 8 | caseBits
            middle = 0
            last = UInt64(bytes[end - 1]) | caseBits
        }
    }

    @inline(__always)
    init(_ name: FieldName) {
        let text = name.text
        let buffer = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        self.init(unsafe buffer.span, 0..<text.utf8CodeUnitCount)
    }

    /// The candidate that this name is, or `.other`. All candidates have this name's length. They are parameters and no
    /// list, so that each becomes a comparison with constants.
    @inline(__always)
    func one(
        of first: FieldName, _ second: FieldName = .other, _ third: FieldName = .other, _ fourth: FieldName = .other
    ) -> FieldName {
        if isEqual(first) { return first }
        if isEqual(second) { return second }
        if isEqual(third) { return third }
        return isEqual(fourth) ? fourth : .other
    }

    @inline(__always)
    private func isEqual(_ candidate: FieldName) -> Bool {
        guard candidate != .other else { return false }
        let other = FoldedName(candidate)
        return first == other.first && last == other.last && middle == other.middle
    }
}
