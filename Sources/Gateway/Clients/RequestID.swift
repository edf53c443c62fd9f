/// The name of one request in the logs of everybody who handles it: kept if a trusted peer gave it one, else made.
import ByteText
package import HTTP1

package enum RequestID: Equatable, Sendable {
    /// Written as 32 hexadecimal digits.
    case made(high: UInt64, low: UInt64)
    /// Checked: bounded, and made of bytes that stand for themselves in every log.
    case kept([UInt8])

    /// A longer one is no name any more; the usual ones have 20 to 36 bytes, traces up to 110.
    private static let bytesLimit = 128

    /// The one that the request has.
    ///
    /// - Returns: nil if it has none, several, or something that isn't a name.
    init?(of head: borrowing RequestHead) {
        guard head.fields.count(of: .xRequestID) == 1, let line = head.fields.first(of: .xRequestID) else { return nil }
        let value = head.fields.value(of: line)
        guard value.count > 0, value.count <= Self.bytesLimit else { return nil }
        for index in 0..<value.count where !Self.isSane(value[index]) { return nil }
        self = .kept(value.array)
    }

    private static func isSane(_ byte: UInt8) -> Bool {
        if byte.isASCIILetter || byte.isDecimalDigit { return true }
        return switch byte {
        case 0x2B, 0x2D, 0x2E, 0x2F, 0x3A, 0x3D, 0x40, 0x5F, 0x7E: true  // + - . / : = @ _ ~
        default: false
        }
    }

    /// Appends it as text, which holds nothing that any log would have to escape.
    package func append(to text: inout [UInt8]) {
        switch self {
        case .kept(let bytes): text.append(contentsOf: bytes)
        case .made(let high, let low):
            text.append(hexadecimal: high, minimumDigits: 16)
            text.append(hexadecimal: low, minimumDigits: 16)
        }
    }

    package func writeField(into writer: inout HTTPWriter) {
        writer.beginField("X-Request-Id")
        append(to: &writer.bytes)
        writer.endField()
    }
}

/// Makes request ids: xoshiro256** (Blackman and Vigna), seeded once, so that an id costs no system call. They are
/// unique, which is all that an id has to be; they are no secret.
package struct RequestIDs {
    private var state: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter seed: of the system's own random numbers.
    package init(seed: (UInt64, UInt64, UInt64, UInt64)) {
        precondition(seed.0 | seed.1 | seed.2 | seed.3 != 0, "the generator never leaves an all-zero state")
        state = seed
    }

    package init() {
        self.init(
            seed: (
                UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max),
                UInt64.random(in: 1 ... .max)
            ))
    }

    /// The id of a request; nil if the rules want none.
    package mutating func id(
        of head: borrowing RequestHead, _ identity: borrowing ClientIdentity, _ rules: borrowing ForwardingRules
    ) -> RequestID? {
        guard rules.makesRequestID else { return nil }
        if identity.speaksForOthers, let kept = RequestID(of: head) { return kept }
        return .made(high: next(), low: next())
    }

    private mutating func next() -> UInt64 {
        let product = state.1 &* 5
        let result = (product << 7 | product >> 57) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = state.3 << 45 | state.3 >> 19
        return result
    }
}
