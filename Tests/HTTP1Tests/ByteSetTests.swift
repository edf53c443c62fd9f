import ByteText
import Testing

@testable import HTTP1

/// The word tricks of the inner loops, each against the same thing said plainly.
struct ByteSetTests {
    static let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

    @Test func `the sets hold what the grammars say`() {
        let token = Set("!#$%&'*+-.^_`|~0123456789\(Self.letters)".utf8)
        let hostName = Set("-._~!$&'()*+;=0123456789\(Self.letters)".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(ByteSet.token.contains(byte) == token.contains(byte))
            #expect(ByteSet.hostName.contains(byte) == hostName.contains(byte))
            #expect(ByteSet.target.contains(byte) == ((0x21...0x7E).contains(byte) && byte != 0x23))
        }
    }

    @Test func `controls are found wherever they stand`() {
        for byte in UInt8.min...UInt8.max {
            let isControl = (byte < 0x20 && byte != 9) || byte == 0x7F
            let clean = Array("abc\u{9}\u{9}é ~!defghijklm".utf8)
            for place in clean.indices {
                var bytes = clean
                bytes[place] = byte
                let found = bytes.span.firstControl(from: 0)
                #expect(found == (isControl ? place : bytes.count), "\(byte) at \(place)")
            }
        }
    }

    @Test func `what follows letters and hyphens is found wherever it stands`() {
        let plain = Set("-\(Self.letters)".utf8)
        for byte in UInt8.min...UInt8.max {
            let clean = Array("Azaz-Mm-zZaA-xyzabc".utf8)
            for place in clean.indices {
                var bytes = clean
                bytes[place] = byte
                let found = bytes.span.firstAfterLetters(from: 0)
                #expect(found == (plain.contains(byte) ? bytes.count : place), "\(byte) at \(place)")
            }
        }
    }
}
