import ByteText
import Testing

struct AddressTests {
    func address(_ text: String) -> IPAddress? {
        let bytes = Array(text.utf8)
        return IPAddress(bytes.span)
    }

    func node(_ text: String) -> IPAddress? {
        let bytes = Array(text.utf8)
        return IPAddress(node: bytes.span)
    }

    func range(_ text: String) -> AddressRange? {
        let bytes = Array(text.utf8)
        return AddressRange(bytes.span)
    }

    @Test(arguments: [
        ("0.0.0.0", "0.0.0.0"), ("192.0.2.1", "192.0.2.1"), ("255.255.255.255", "255.255.255.255"), ("::", "::"),
        ("::1", "::1"), ("1::", "1::"), ("2001:DB8::1", "2001:db8::1"), ("2001:db8:0:0:0:0:0:1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::ffff:c000:201", "192.0.2.1"), ("::192.0.2.1", "::c000:201"),
        // RFC 5952 §4.2: the longest run, of equal ones the first, and never one group alone.
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("0:0:1:0:0:0:0:0", "0:0:1::"), ("fe80:0:0:0:0:0:0:0", "fe80::"),
        ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"), ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"),
    ]) func `an address has one canonical text`(written: String, canonical: String) throws {
        let address = try #require(self.address(written))
        #expect(address.description == canonical)
        #expect(self.address(canonical) == address)
    }

    @Test func `any address comes back from its text`() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            // Groups of zeros are what the text plays with.
            var words: [UInt64] = [0, 0]
            for place in 0..<8 where Bool.random(using: &random) {
                words[place / 4] |= UInt64.random(in: 0...0xFFFF, using: &random) << UInt64(place % 4 * 16)
            }
            let address = IPAddress(high: words[0], low: words[1])
            #expect(self.address(address.description) == address, "\(words)")
        }
    }

    @Test(
        arguments: [
            ("192.0.2.1:80", "192.0.2.1"), ("192.0.2.1", "192.0.2.1"), ("[2001:db8::1]:80", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"), ("192.0.2.1:", nil), ("192.0.2.1:x", nil),
            ("192.0.2.1:123456", nil), ("[::1]x", nil), ("[::1]:", nil), ("[::1", nil), ("[192.0.2.1]", nil),
            ("[]", nil),
            ("unknown", nil), ("_hidden", nil), ("", nil), ("a.example", nil), ("192.0.2.1 ", nil),
            ("\"192.0.2.1\"", nil),
            ("fe80::1%eth0", nil), ("127.1", nil), ("0x7f.0.0.1", nil), ("010.0.0.1", nil),
        ] as [(String, String?)]) func `a node is an address with or without a port`(text: String, expected: String?)
    {
        #expect(node(text)?.description == expected)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.255.255", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.0.0.0/8", "::a00:0", false),
        ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "10.0.0.1", true),
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.0", false), ("192.0.2.1/32", "192.0.2.1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::", false),
        ("2001:db8::/64", "2001:db8:0:0:ffff::", true), ("2001:db8::/64", "2001:db8:0:1::", false),
        ("2001:db8::/65", "2001:db8:0:0:8000::", false), ("::1", "::1", true), ("10.0.0.0/8", "::ffff:10.1.1.1", true),
    ]) func `a range contains the addresses that begin with its bits`(text: String, other: String, isInside: Bool)
        throws
    {
        let range = try #require(self.range(text))
        let address = try #require(self.address(other))
        #expect(range.contains(address) == isInside)
    }

    @Test(arguments: [
        "10.0.0.1/8", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "/8", "10/8", "a/8", "",
        "2001:db8::1/64", "10.0.0.0/0008", "10.0.0.0/8 ",
    ]) func `what is no range is refused`(text: String) { #expect(range(text) == nil) }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.255.0.3", true), ("::1", true), ("::ffff:127.0.0.1", true), ("128.0.0.1", false),
        ("::2", false), ("::", false), ("0.0.0.0", false),
    ]) func `this machine's own addresses are known`(text: String, isOwn: Bool) throws {
        let address = try #require(self.address(text))
        #expect(address.isLoopback == isOwn)
    }
}
