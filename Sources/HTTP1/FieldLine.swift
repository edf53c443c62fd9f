/// Where one field line's name and value stand in the bytes of its section, and what was found out about it.
package import ByteText

package struct FieldLine: Hashable, Sendable {
    package let name: FieldName
    /// The name holds a byte other than letters, digits and hyphens, which an application may read as a hyphen; see
    /// `FieldLines.lookalike(of:)`.
    package let hasOddByte: Bool
    /// A Connection field of the same head names this field, so it is not passed on. Never true of a name that
    /// anything is decided on: such a nomination is an attack (RFC 9110 §7.6.1).
    package internal(set) var isNominated = false
    package let nameRange: ByteRange
    /// Without the white space around the value; may be empty.
    package let valueRange: ByteRange
}
