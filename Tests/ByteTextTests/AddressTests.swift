import ByteText
import Glibc
import Testing

/// Addresses in numbers: against the C library where it is as strict, and by hand where it is not.
struct AddressTests {
    @Test(arguments: [
        "0.0.0.0", "255.255.255.255", "192.0.2.1", "10.20.30.40", "256.0.0.1", "1.2.3", "1.2.3.4.5", "", ".", "1..2.3",
        "1.2.3.4.", ".1.2.3.4", " 1.2.3.4", "1.2.3.4 ", "1.2.3.-4", "0x1.2.3.4", "1.2.3.1000", "a.b.c.d",
        "00000000000001.2.3.4",
    ])
    func `four parts are an address when the C library says so`(text: String) {
        var expected = in_addr()
        let isAddress = inet_pton(AF_INET, text, &expected) == 1
        let bytes = Array(text.utf8)
        let found = bytes.span.ipv4Address
        #expect(found == (isAddress ? UInt32(bigEndian: expected.s_addr) : nil))
    }

    @Test(arguments: ["01.2.3.4", "1.02.3.4", "1.2.3.004", "00.0.0.0"])
    func `a leading zero is refused`(text: String) {
        let bytes = Array(text.utf8)
        let found = bytes.span.ipv4Address
        #expect(found == nil)
    }

    @Test(arguments: [
        "::", "::1", "1::", "2001:db8::1", "2001:DB8:0:0:8:800:200C:417A", "::ffff:192.0.2.1", "64:ff9b::192.0.2.33",
        "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "0:0:0:0:0:0:0:0",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:1.2.3.4",
        "1::2::3", ":::", ":", "1", ":1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:", "12345::", "::g", "::1.2.3", "::1.2.3.4:5",
        "1.2.3.4", "", "[::1]", "::1%lo", "fe80::1%25lo", " ::1", "::1 ", "::12345", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "0000:0000:0000:0000:0000:ffff:255.255.255.255",
    ])
    func `eight groups are an address when the C library says so`(text: String) {
        var expected = in6_addr()
        let isAddress = inet_pton(AF_INET6, text, &expected) == 1
        let words = withUnsafeBytes(of: &expected) { bytes in
            (
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
                UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
            )
        }
        let bytes = Array(text.utf8)
        let found = bytes.span.ipv6Address
        #expect((found != nil) == isAddress)
        if let found, isAddress {
            #expect(found.high == words.0)
            #expect(found.low == words.1)
        }
    }
}
