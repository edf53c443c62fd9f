/// Writing ASCII into an array of bytes that the caller reuses.

extension [UInt8] {
    /// Appends a copy of borrowed bytes. O(n), one `memcpy`.
    package mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe appendCopy(of: $0) }
    }

    /// Appends the bytes of a literal.
    package mutating func append(_ text: StaticString) {
        unsafe appendCopy(of: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// `append(contentsOf:)` goes through the iterators of any sequence; a head is made of some forty pieces.
    private mutating func appendCopy(of bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        append(addingCapacity: bytes.count) { (rest: inout OutputSpan<UInt8>) in
            unsafe rest.withUnsafeMutableBufferPointer { place, count in
                guard let target = place.baseAddress else { return }
                unsafe target.initialize(from: source, count: bytes.count)
                count = bytes.count
            }
        }
    }

    /// Appends `value` in decimal, without a sign or leading zeros.
    @inlinable
    package mutating func append(decimal value: some FixedWidthInteger & UnsignedInteger) {
        append(decimalDigitsOf: UInt64(truncatingIfNeeded: value))
    }

    /// Not generic, since other modules would divide by way of witness tables: 1700 instructions a number.
    @usableFromInline
    package mutating func append(decimalDigitsOf value: UInt64) {
        var rest = value
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var start = 20
        repeat {
            start -= 1
            digits[start] = 0x30 + UInt8(rest % 10)
            rest /= 10
        } while rest != 0
        append(digits.span.extracting(start..<20))
    }

    /// Appends `value` in lower-case hexadecimal, without a prefix or leading zeros.
    package mutating func append(hexadecimal value: UInt64) {
        append(hexadecimal: value, minimumDigits: 1)
    }

    /// The same with zeros in front up to `minimumDigits`, 16 at most.
    package mutating func append(hexadecimal value: UInt64, minimumDigits: Int) {
        var rest = value
        var digits: InlineArray<16, UInt8> = .init(repeating: 0x30)
        var start = 16
        while rest != 0 {
            start -= 1
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            digits[start] = digit < 10 ? 0x30 + digit : 0x61 + digit - 10
            rest >>= 4
        }
        append(digits.span.extracting(Swift.min(start, 16 - minimumDigits)..<16))
    }

    /// Appends `bytes` as base64 with padding (RFC 4648 §4).
    package mutating func append(base64 bytes: Span<UInt8>) {
        reserveCapacity(count + (bytes.count + 2) / 3 * 4)
        func letter(_ value: UInt32) -> UInt8 {
            switch UInt8(value & 63) {
            case let index where index < 26: 0x41 + index
            case let index where index < 52: 0x61 + index - 26
            case let index where index < 62: 0x30 + index - 52
            case 62: 0x2B
            default: 0x2F
            }
        }
        var index = 0
        while index + 3 <= bytes.count {
            let group = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8 | UInt32(bytes[index + 2])
            append(letter(group >> 18))
            append(letter(group >> 12))
            append(letter(group >> 6))
            append(letter(group))
            index += 3
        }
        switch bytes.count - index {
        case 1:
            let group = UInt32(bytes[index]) << 16
            append(letter(group >> 18))
            append(letter(group >> 12))
            append("==")
        case 2:
            let group = UInt32(bytes[index]) << 16 | UInt32(bytes[index + 1]) << 8
            append(letter(group >> 18))
            append(letter(group >> 12))
            append(letter(group >> 6))
            append("=")
        default: break
        }
    }
}
