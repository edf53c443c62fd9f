/// A position in the pool: every message of its channels with a number up to it has been handed out. `EPOCH-NUMBER`
/// to us, opaque to clients (DESIGN §5).
import ByteText

package struct Cursor: Hashable, Sendable {
    package let epoch: Epoch
    package let number: UInt64

    package init(epoch: Epoch, number: UInt64) {
        self.epoch = epoch
        self.number = number
    }

    /// Appends the text form.
    package func append(to text: inout [UInt8]) {
        text.append(contentsOf: epoch.text)
        text.append("-")
        text.append(decimal: number)
    }
}

/// Where a look-up begins.
package enum Position: Hashable, Sendable {
    /// At the oldest message in the pool; nothing can have been missed.
    case oldest
    /// Behind the newest.
    case now
    /// Behind this number of this epoch.
    case after(UInt64)
    /// Behind a position that this pool never had or no longer knows: everything is handed out, and told as a gap.
    case foreign

    /// A cursor as a client sent it.
    ///
    /// - Returns: nil if it does not have a cursor's form: a part of 1 to 32 lower-case letters and digits, a hyphen,
    ///   1 to 39 digits. A number too large for this pool is a foreign one, not a broken one.
    package init?(cursor text: Span<UInt8>, epoch: Epoch) {
        guard let hyphen = text.firstIndex(of: 0x2D), (1...32).contains(hyphen) else { return nil }
        let digits = text.extracting((hyphen + 1)...)
        guard (1...39).contains(digits.count) else { return nil }
        for index in 0..<hyphen {
            let byte = text[index]
            guard byte.isDecimalDigit || (0x61...0x7A).contains(byte) else { return nil }
        }
        for index in 0..<digits.count where !digits[index].isDecimalDigit { return nil }
        guard text.extracting(0..<hyphen).equals(epoch.text.span), let number = digits.decimalValue else {
            self = .foreign
            return
        }
        self = .after(number)
    }
}
