import ByteText
import HTTP1
import Testing

/// Pairs and lists inside queries, forms, cookies and fields.
struct ItemTests {
    private func pairs(_ text: String) -> [String] {
        let bytes = Array(text.utf8)
        var items = QueryItems(bytes.span)
        var found: [String] = []
        while let item = items.next() {
            found.append("\(bytes.span.extracting(item.name).string)|\(bytes.span.extracting(item.value).string)")
        }
        return found
    }

    @Test(arguments: [
        ("", []), ("a=1", ["a|1"]), ("a=1&b=2", ["a|1", "b|2"]), ("a", ["a|"]), ("a=", ["a|"]), ("=1", ["|1"]),
        ("&&a=1&", ["a|1"]), ("a=b=c", ["a|b=c"]), ("a%3Db=c+d", ["a%3Db|c+d"]), ("&", []), ("a&b=1", ["a|", "b|1"]),
        ("a;b=1", ["a;b|1"]),
    ])
    func `a query is cut into its pairs`(text: String, expected: [String]) {
        #expect(pairs(text) == expected)
    }

    private func values(_ text: String, _ name: String) -> [String]? {
        let (bytes, wanted) = (Array(text.utf8), Array(name.utf8))
        return QueryItems.values(bytes.span, named: wanted.span)?.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `values are decoded, all of a repeated name in order`() {
        #expect(values("c=a&x=1&c=b+c&%63=%41%2b", "c") == ["a", "b c", "A+"])
        #expect(values("c=a", "d") == [])
        #expect(values("C=a", "c") == [])
        #expect(values("a+b=1", "a b") == ["1"])
    }

    @Test func `broken encoding is no value`() {
        #expect(values("c=%4", "c") == nil)
        #expect(values("c=a&c=%zz", "c") == nil)
        #expect(values("%zz=1&c=1", "c") == ["1"])
    }

    @Test func `the first value of a name is found`() {
        let (text, name, other) = (Array("a=1&b=%20&b=2".utf8), Array("b".utf8), Array("z".utf8))
        let found = QueryItems.value(text.span, named: name.span)
        #expect(found == [0x20])
        let none = QueryItems.value(text.span, named: other.span)
        #expect(none == nil)
    }

    @Test(
        arguments: [
            ("sid=abc", "sid", "abc"), ("a=1; sid=abc; b=2", "sid", "abc"), ("a=1;sid=abc", "sid", "abc"),
            ("xsid=1; sid=2", "sid", "2"), ("sid=1; sid=2", "sid", "1"), ("sid=a=b", "sid", "a=b"),
            ("sid=\"q\"", "sid", "\"q\""), ("sid=", "sid", ""), (";; sid = x ;", "sid", "x"),
            ("sid; sid=2", "sid", "2"),
            ("SID=1", "sid", nil), ("a=sid=1", "sid", nil), ("", "sid", nil), ("=x; sid=1", "sid", "1"),
            ("sid", "sid", nil), ("a=%31", "a", "%31"),
        ] as [(String, String, String?)])
    func `a cookie is looked up by its exact name`(text: String, name: String, expected: String?) {
        let (bytes, wanted) = (Array(text.utf8), Array(name.utf8))
        let found = CookieItems.value(bytes.span, named: wanted.span).map { bytes.span.extracting($0).string }
        #expect(found == expected)
    }

    @Test(arguments: [
        ("a, b,c", ["a", "b", "c"]), ("", []), (",", []), (" ,, a\t,", ["a"]), ("a b", ["a b"]), ("a", ["a"]),
    ])
    func `a list is cut into its elements`(text: String, expected: [String]) {
        let bytes = Array(text.utf8)
        var list = ListField(bytes.span)
        var found: [String] = []
        while let element = list.next() { found.append(bytes.span.extracting(element).string) }
        #expect(found == expected)
    }

    @Test func `a list is searched without regard to case`() {
        let bytes = Array("h2c, WebSocket".utf8)
        let (first, second) = (ListField.contains(bytes.span, "websocket"), ListField.contains(bytes.span, "socket"))
        #expect(first)
        #expect(!second)
    }

    @Test func `an authority is split into host and port`() throws {
        let bytes = Array("[::1]:8080".utf8)
        let whole = AuthorityText(bytes.span)
        let authority = try #require(whole)
        #expect(authority.hostRange == ByteRange(0..<5))
        #expect(authority.port == 8080)
        let bare = Array("example.org".utf8)
        let hostAlone = AuthorityText(bare.span)
        let withoutPort = try #require(hostAlone)
        #expect(withoutPort.hostRange.count == 11)
        #expect(withoutPort.port == nil)
    }
}
