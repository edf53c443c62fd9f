/// Why bytes are not JSON (RFC 8259), and where.
package enum JSONError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The text ends inside a value.
    case unexpectedEnd(offset: Int)
    /// A byte that can't stand here.
    case unexpected(byte: UInt8, offset: Int, expected: Expected)
    /// A value is complete and something follows.
    case trailing(offset: Int)
    case tooDeep(limit: Int, offset: Int)
    /// Bytes in a string that are no UTF-8.
    case badUTF8(offset: Int)

    package enum Expected: String, Hashable, Sendable {
        case value = "a value"
        case key = "a member's name in quotes"
        case keyOrEnd = "a member's name in quotes, or }"
        case colon = "a colon"
        case commaOrEnd = "a comma or the end of the object or list"
        case digit = "a digit"
        case literal = "true, false or null"
        case escape = "one of the escapes of JSON"
        case hexadecimal = "four hexadecimal digits"
        case noControl = "no control character inside a string"
    }

    package var offset: Int {
        switch self {
        case .unexpectedEnd(let offset), .unexpected(_, let offset, _), .trailing(let offset), .tooDeep(_, let offset),
            .badUTF8(let offset):
            offset
        }
    }

    package var description: String {
        switch self {
        case .unexpectedEnd(let offset): "it ends at byte \(offset), inside a value"
        case .unexpected(let byte, let offset, let expected):
            "byte \(byte) at offset \(offset), where \(expected.rawValue) was expected"
        case .trailing(let offset): "something follows the value, at offset \(offset)"
        case .tooDeep(let limit, let offset): "it is nested deeper than \(limit), at offset \(offset)"
        case .badUTF8(let offset): "the bytes at offset \(offset) are no UTF-8"
        }
    }
}
