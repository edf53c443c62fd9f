/// Finding a field name among the known ones: by length first, then eight bytes at a time, without allocation.

extension FieldName {
    /// - Parameters:
    ///   - range: where the name stands in `bytes`; it is known to consist of token bytes.
    @inline(__always)
    init(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        self = Self.find(bytes, range.lowerBound, range.count)
    }

    private static func find(_ bytes: Span<UInt8>, _ start: Int, _ length: Int) -> FieldName {
        @inline(__always)
        func one(_ name: FieldName) -> FieldName? { bytes.folds(to: name.text, from: start) ? name : nil }
        switch length {
        case 2: return one(.te) ?? .other
        case 3: return one(.via) ?? .other
        case 4: return one(.host) ?? one(.date) ?? one(.vary) ?? .other
        case 5: return one(.range) ?? .other
        case 6: return one(.cookie) ?? one(.origin) ?? one(.expect) ?? one(.server) ?? .other
        case 7: return one(.upgrade) ?? one(.trailer) ?? one(.referer) ?? .other
        case 8: return one(.location) ?? .other
        case 9: return one(.forwarded) ?? one(.xRealIP) ?? .other
        case 10: return one(.connection) ?? one(.setCookie) ?? one(.keepAlive) ?? .other
        case 11: return one(.retryAfter) ?? .other
        case 12: return one(.contentType) ?? one(.xRequestID) ?? one(.maxForwards) ?? .other
        default: return findLong(bytes, start, length)
        }
    }

    private static func findLong(_ bytes: Span<UInt8>, _ start: Int, _ length: Int) -> FieldName {
        @inline(__always)
        func one(_ name: FieldName) -> FieldName? { bytes.folds(to: name.text, from: start) ? name : nil }
        switch length {
        case 13:
            return one(.cacheControl) ?? one(.authorization) ?? one(.contentRange) ?? one(.ifNoneMatch) ?? .other
        case 14: return one(.contentLength) ?? one(.http2Settings) ?? .other
        case 15: return one(.xForwardedFor) ?? .other
        case 16:
            return one(.contentEncoding) ?? one(.proxyConnection) ?? one(.xForwardedHost) ?? one(.xForwardedPort)
                ?? .other
        case 17:
            return one(.transferEncoding) ?? one(.xForwardedProto) ?? one(.ifModifiedSince) ?? one(.secWebSocketKey)
                ?? .other
        case 18: return one(.proxyAuthenticate) ?? .other
        case 19: return one(.proxyAuthorization) ?? .other
        case 20: return one(.secWebSocketAccept) ?? .other
        case 21: return one(.secWebSocketVersion) ?? .other
        case 22: return one(.secWebSocketProtocol) ?? .other
        case 24: return one(.secWebSocketExtensions) ?? .other
        default: return .other
        }
    }
}
