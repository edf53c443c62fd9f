/// The name of a channel: 1 to 200 bytes of letters, digits and `._-:@/`. Safe in logs, headers and JSON as it stands.
import ByteText

package struct ChannelName: Hashable, Sendable, CustomStringConvertible {
    package static let bytesLimit = 200

    package let bytes: [UInt8]

    package init(_ bytes: Span<UInt8>) throws(ChannelNameError) {
        try Self.check(bytes)
        self.bytes = bytes.array
    }

    /// Keeps the array that it is given.
    package init(keeping bytes: [UInt8]) throws(ChannelNameError) {
        try Self.check(bytes.span)
        self.bytes = bytes
    }

    private static func check(_ bytes: Span<UInt8>) throws(ChannelNameError) {
        guard bytes.count > 0 else { throw .empty }
        guard bytes.count <= bytesLimit else { throw .tooLong(bytes: bytes.count) }
        for index in 0..<bytes.count where !isAllowed(bytes[index]) { throw .badByte(bytes[index], offset: index) }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x2E, 0x5F, 0x2D, 0x3A, 0x40, 0x2F: true
        default: byte.isASCIILetter || byte.isDecimalDigit
        }
    }

    package var description: String { String(decoding: bytes, as: UTF8.self) }

    /// All bytes at once: hashing an array feeds them one by one, and a name is hashed for every poll and publish.
    package func hash(into hasher: inout Hasher) {
        unsafe bytes.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }
}

/// Why bytes are no channel name. The description names no byte of theirs but by number.
package enum ChannelNameError: Error, Hashable, CustomStringConvertible {
    case empty
    case tooLong(bytes: Int)
    case badByte(UInt8, offset: Int)

    package var description: String {
        switch self {
        case .empty: "it is empty"
        case .tooLong(let bytes): "it has \(bytes) bytes, \(ChannelName.bytesLimit) are allowed"
        case .badByte(let byte, let offset):
            "the byte \(byte) at offset \(offset) is none of the letters, digits and ._-:@/ that are allowed"
        }
    }
}
