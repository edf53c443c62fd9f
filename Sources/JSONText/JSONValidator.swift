/// Checks JSON by RFC 8259, strictly and without recursion: exactly one value, UTF-8, no extensions.
///
/// Escapes of lone surrogates (`\ud800`) are accepted: the grammar of RFC 8259 §7 allows them, and a proxy that hands
/// the text on untouched has no reason to refuse what a browser's parser takes.
import ByteText

package struct JSONValidator: ~Escapable {
    package static let depthLimit = 128

    private let bytes: Span<UInt8>
    private var position = 0

    @_lifetime(copy bytes)
    private init(_ bytes: Span<UInt8>) { self.bytes = bytes }

    /// - Throws: `JSONError` with the offset of the first byte that is wrong. O(n).
    package static func validate(_ bytes: Span<UInt8>, depthLimit: Int = depthLimit) throws(JSONError) {
        var validator = JSONValidator(bytes)
        try validator.value(depthLimit)
        validator.skipSpace()
        guard validator.position == bytes.count else { throw .trailing(offset: validator.position) }
    }

    /// What stands around the value being read: a bit per level, set for an object.
    private struct Nesting {
        private var bits: InlineArray<4, UInt64> = .init(repeating: 0)
        private(set) var depth = 0
        static let limit = 256

        mutating func push(object: Bool) {
            let mask: UInt64 = 1 << UInt64(depth % 64)
            if object { bits[depth / 64] |= mask } else { bits[depth / 64] &= ~mask }
            depth += 1
        }
        mutating func pop() { depth -= 1 }
        var isObject: Bool { bits[(depth - 1) / 64] & (1 << UInt64((depth - 1) % 64)) != 0 }
    }

    private mutating func value(_ depthLimit: Int) throws(JSONError) {
        var nesting = Nesting()
        let limit = min(depthLimit, Nesting.limit)
        while true {
            skipSpace()
            var isComplete = true
            switch try next(.value) {
            case 0x7B:
                guard nesting.depth < limit else { throw .tooDeep(limit: limit, offset: position) }
                position += 1
                skipSpace()
                if try next(.keyOrEnd) == 0x7D {
                    position += 1
                } else {
                    nesting.push(object: true)
                    try key()
                    isComplete = false
                }
            case 0x5B:
                guard nesting.depth < limit else { throw .tooDeep(limit: limit, offset: position) }
                position += 1
                skipSpace()
                if try next(.value) == 0x5D {
                    position += 1
                } else {
                    nesting.push(object: false)
                    isComplete = false
                }
            case 0x22: try string()
            case 0x2D, 0x30...0x39: try number()
            case 0x74: try literal("true")
            case 0x66: try literal("false")
            case 0x6E: try literal("null")
            case let byte: throw .unexpected(byte: byte, offset: position, expected: .value)
            }
            if isComplete, try !closeLevels(&nesting) { return }
        }
    }

    /// Behind a complete value: takes the ends of levels until a comma calls for another value.
    ///
    /// - Returns: false when the outermost value is complete.
    private mutating func closeLevels(_ nesting: inout Nesting) throws(JSONError) -> Bool {
        while nesting.depth > 0 {
            skipSpace()
            let byte = try next(.commaOrEnd)
            if byte == 0x2C {
                position += 1
                skipSpace()
                if nesting.isObject { try key() }
                return true
            }
            guard byte == (nesting.isObject ? 0x7D : 0x5D) else {
                throw .unexpected(byte: byte, offset: position, expected: .commaOrEnd)
            }
            position += 1
            nesting.pop()
        }
        return false
    }

    private mutating func key() throws(JSONError) {
        let byte = try next(.key)
        guard byte == 0x22 else { throw .unexpected(byte: byte, offset: position, expected: .key) }
        try string()
        skipSpace()
        let colon = try next(.colon)
        guard colon == 0x3A else { throw .unexpected(byte: colon, offset: position, expected: .colon) }
        position += 1
    }

    private mutating func string() throws(JSONError) {
        position += 1
        while position < bytes.count {
            let byte = bytes[position]
            switch byte {
            case 0x22:
                position += 1
                return
            case 0x5C: try escape()
            case 0..<0x20: throw .unexpected(byte: byte, offset: position, expected: .noControl)
            case 0x20..<0x80: position += 1
            default:
                guard let length = bytes.lengthOfUTF8Sequence(at: position) else { throw .badUTF8(offset: position) }
                position += length
            }
        }
        throw .unexpectedEnd(offset: position)
    }

    private mutating func escape() throws(JSONError) {
        position += 1
        switch try next(.escape) {
        case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: position += 1
        case 0x75:
            position += 1
            for _ in 0..<4 {
                let digit = try next(.hexadecimal)
                guard digit.hexadecimalValue != nil else {
                    throw .unexpected(byte: digit, offset: position, expected: .hexadecimal)
                }
                position += 1
            }
        case let byte: throw .unexpected(byte: byte, offset: position, expected: .escape)
        }
    }

    private mutating func number() throws(JSONError) {
        if bytes[position] == 0x2D { position += 1 }
        if try next(.digit) == 0x30 { position += 1 } else { try digits() }
        if position < bytes.count, bytes[position] == 0x2E {
            position += 1
            try digits()
        }
        if position < bytes.count, bytes[position] | 0x20 == 0x65 {
            position += 1
            if position < bytes.count, bytes[position] == 0x2B || bytes[position] == 0x2D { position += 1 }
            try digits()
        }
    }

    private mutating func digits() throws(JSONError) {
        let first = try next(.digit)
        guard first.isDecimalDigit else { throw .unexpected(byte: first, offset: position, expected: .digit) }
        while position < bytes.count, bytes[position].isDecimalDigit { position += 1 }
    }

    private mutating func literal(_ text: StaticString) throws(JSONError) {
        let end = position + text.utf8CodeUnitCount
        guard end <= bytes.count else { throw .unexpectedEnd(offset: bytes.count) }
        guard bytes.extracting(position..<end).equals(text) else {
            throw .unexpected(byte: bytes[position], offset: position, expected: .literal)
        }
        position = end
    }

    private mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private func next(_ expected: JSONError.Expected) throws(JSONError) -> UInt8 {
        guard position < bytes.count else { throw .unexpectedEnd(offset: position) }
        return bytes[position]
    }
}
