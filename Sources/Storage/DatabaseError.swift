/// What SQLite answered when a call failed.
import CSQLite

package struct DatabaseError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was being done, e.g. `commit`.
    let action: String
    /// The extended result code.
    let code: Int32
    /// SQLite's own sentence.
    let message: String

    /// The code without its extension.
    var primaryCode: Int32 { code & 0xFF }

    package var description: String { "\(action): \(message) (SQLite's error \(code))" }
}
