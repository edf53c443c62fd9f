/// Reading ASCII out of borrowed bytes: comparison, numbers, search.
import Glibc

extension UInt8 {
    /// `A`…`Z` become `a`…`z`; every other byte stays.
    @inlinable package var asciiLowercased: UInt8 { self &- 65 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit of either case, or nil.
    @inlinable package var hexadecimalValue: UInt8? {
        switch self {
        case 0x30...0x39: self - 0x30
        case 0x41...0x46: self - 0x41 + 10
        case 0x61...0x66: self - 0x61 + 10
        default: nil
        }
    }

    @inlinable package var isDecimalDigit: Bool { self &- 0x30 < 10 }
    @inlinable package var isASCIILetter: Bool { (self | 0x20) &- 0x61 < 26 }
}

extension Span<UInt8> {
    /// Whether these bytes are exactly `text`.
    package func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where unsafe self[index] != text.utf8Start[index] { return false }
        return true
    }

    /// Whether these bytes are `text` when ASCII letters of either case are the same. `text` is in lower case.
    package func equalsIgnoringCase(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        for index in 0..<count where unsafe self[index].asciiLowercased != text.utf8Start[index] { return false }
        return true
    }

    /// Whether both hold the same bytes.
    package func equals(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }

    /// Offset of the first `byte` at or behind `start`, or nil. O(n), vectorised by the C library.
    package func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        unsafe withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress, start < buffer.count else { return nil }
            guard let found = unsafe memchr(base + start, Int32(byte), buffer.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - UnsafeRawPointer(base)
        }
    }

    /// An unsigned decimal number of 1 to 19 digits that fits in 63 bits; nil for anything else: empty, a sign,
    /// a space, another byte. Leading zeros are accepted.
    package var decimalValue: UInt64? {
        guard count > 0, count <= 19 else { return nil }
        var value: UInt64 = 0
        for index in 0..<count {
            guard self[index].isDecimalDigit else { return nil }
            value = value * 10 + UInt64(self[index] - 0x30)
        }
        return value <= UInt64(Int64.max) ? value : nil
    }

    /// A copy of these bytes as a string; invalid UTF-8 is replaced by U+FFFD. For logs, names and errors.
    package var string: String {
        unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// A copy of these bytes.
    package var array: [UInt8] {
        unsafe withUnsafeBufferPointer { unsafe Array($0) }
    }
}
