/// A place inside a byte string, in eight bytes: where it begins and where it ends (exclusive).
///
/// Parsers return these instead of slices, so that a parsed head costs one array and no reference per field.
package struct ByteRange: Hashable, Sendable {
    /// Offset of the first byte.
    @usableFromInline package let lowerBound: UInt32
    /// Offset behind the last byte.
    @usableFromInline package let upperBound: UInt32

    package static let empty = ByteRange(0..<0)

    /// - Parameter range: offsets in bytes; both fit in 32 bits, because no parser here is lent 4 GiB at once.
    @inlinable package init(_ range: Range<Int>) {
        lowerBound = UInt32(range.lowerBound)
        upperBound = UInt32(range.upperBound)
    }

    @inlinable package var count: Int { Int(upperBound - lowerBound) }
    @inlinable package var isEmpty: Bool { lowerBound == upperBound }
    /// The same place as array indices.
    @inlinable package var indices: Range<Int> { Int(lowerBound)..<Int(upperBound) }
}
