/// The life of one pool. A cursor of another epoch says nothing about this pool's numbers.
import ByteText

package struct Epoch: Hashable, Sendable, CustomStringConvertible {
    /// Letters and digits in lower case.
    package let text: [UInt8]

    /// Digits of the text: 41 bits, which two starts share once in two million million.
    private static let digitsCount = 8

    /// - Parameter random: from a generator that no restart repeats.
    package init(random: UInt64) {
        var rest = random
        var text: [UInt8] = []
        for _ in 0..<Self.digitsCount {
            let digit = UInt8(rest % 36)
            text.append(digit < 10 ? 0x30 + digit : 0x61 + digit - 10)
            rest /= 36
        }
        self.text = text
    }

    /// An epoch that goes on.
    ///
    /// - Returns: nil if the text is none of an epoch.
    package init?(text: [UInt8]) {
        guard text.count == Self.digitsCount,
            text.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) })
        else { return nil }
        self.text = text
    }

    package var description: String { String(decoding: text, as: UTF8.self) }
}
