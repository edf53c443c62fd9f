import ByteText
import Testing

struct ByteTextTests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"), ("\u{3FF}\u{3FF}", "z7/Pvw=="),
    ])
    func `base64 gives the vectors of RFC 4648 §10`(plain: String, encoded: String) {
        var bytes: [UInt8] = []
        bytes.append(base64: Array(plain.utf8).span)
        #expect(String(decoding: bytes, as: UTF8.self) == encoded)
    }

    @Test(
        arguments: [
            ("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar"), ("Zh==", nil),
            ("Zm9=", nil),
            ("Zg", nil), ("Zg=", nil), ("=Zg=", nil), ("Zg==Zg==", nil), ("Z g=", nil), ("Zg-_", nil), ("====", nil),
        ] as [(String, String?)])
    func `base64 is decoded in its one spelling and no other`(text: String, plain: String?) {
        let bytes = Array(text.utf8)
        let decoded = bytes.span.base64Decoded
        #expect(decoded.map { String(decoding: $0, as: UTF8.self) } == plain)
    }

    @Test(arguments: [0, 1, 9, 10, 255, 256, 65535, UInt64(Int64.max), UInt64.max])
    func `numbers are written as Swift itself writes them`(number: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(decimal: number)
        bytes.append(" ")
        bytes.append(hexadecimal: number)
        #expect(String(decoding: bytes, as: UTF8.self) == "\(number) \(String(number, radix: 16))")
    }

    @Test(
        arguments: [
            ("0", 0), ("007", 7), ("9223372036854775807", Int64.max), ("9223372036854775808", nil), ("", nil),
            ("+1", nil), ("-1", nil), ("1 ", nil), ("1e3", nil), ("00000000000000000001", nil),
        ] as [(String, Int64?)])
    func `a decimal number is digits that fit in 63 bits and nothing else`(text: String, value: Int64?) {
        let bytes = Array(text.utf8)
        let parsed = bytes.span.decimalValue
        #expect(parsed == value.map { UInt64($0) })
    }

    @Test(
        arguments: [
            ("a%20b+c", true, "a b c"), ("a%20b+c", false, "a b+c"), ("%2525", true, "%25"), ("%", true, nil),
            ("%4", true, nil), ("%zz", true, nil), ("", true, ""), ("%41", false, "A"),
        ] as [(String, Bool, String?)])
    func `percent-encoding is decoded once or refused`(text: String, plus: Bool, decoded: String?) {
        let bytes = Array(text.utf8)
        let result = bytes.span.percentDecoded(plusIsSpace: plus)
        #expect(result.map { String(decoding: $0, as: UTF8.self) } == decoded)
    }

    @Test func `names are compared without regard to ASCII case alone`() {
        let name = Array("Content-LENGTH".utf8)
        let same = name.span.equalsIgnoringCase("content-length")
        let bracket = Array("[".utf8)
        let wrong = bracket.span.equalsIgnoringCase("{")
        #expect(same)
        #expect(!wrong)
    }

    @Test func `a byte is found at or behind a place`() {
        let bytes = Array("a,b,c".utf8)
        let found = [0, 1, 2, 4, 5, 9].map { bytes.span.firstIndex(of: 0x2C, from: $0) }
        #expect(found == [1, 1, 3, nil, nil, nil])
    }
}
