import HTTP1
import Testing

struct ForwardedElementTests {
    /// Each element as `node|scheme|host`, `-` for what it doesn't say; nil for a value that breaks the grammar.
    func told(_ text: String) -> [String]? {
        let bytes = Array(text.utf8)
        func part(_ range: Range<Int>?) -> String { range.map { String(decoding: bytes[$0], as: UTF8.self) } ?? "-" }
        return ForwardedElement.elements(of: bytes.span)?.map { "\(part($0.node))|\(part($0.scheme))|\(part($0.host))" }
    }

    @Test(arguments: [
        // RFC 7239 §4 and §7.1
        ("for=\"_gazonk\"", ["_gazonk|-|-"]), ("For=\"[2001:db8:cafe::17]:4711\"", ["[2001:db8:cafe::17]:4711|-|-"]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", ["192.0.2.60|http|-"]),
        ("for=192.0.2.43, for=198.51.100.17", ["192.0.2.43|-|-", "198.51.100.17|-|-"]),
        (
            "for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown",
            ["192.0.2.43|-|-", "[2001:db8:cafe::17]|-|-", "unknown|-|-"]
        ),
        ("", []), (" , ,", []), (";", []), ("for=a;", ["a|-|-"]), (";for=a", ["a|-|-"]), ("for=a;;host=b", ["a|-|b"]),
        ("FOR=a;HOST=b;PROTO=c", ["a|c|b"]), ("secret=x", ["-|-|-"]), (" for=a ; host=b ", ["a|-|b"]),
        ("host=\"a:80\"", ["-|-|a:80"]), ("for=\"\"", ["|-|-"]), ("for=\"a,b;c\"", ["a,b;c|-|-"]),
        // An escape stays visible, so that it can't make an address.
        ("for=\"192.0.2\\.1\"", ["192.0.2\\.1|-|-"]), ("for=\"a\\\"\"", ["a\\\"|-|-"]),
    ]) func `elements are read`(text: String, elements: [String]) { #expect(told(text) == elements) }

    @Test(arguments: [
        "for", "for=", "=a", "for =a", "for= a", "for=a b", "for=\"a", "for=\"a\\", "for=\"a\\\"", "for=\"a\"b",
        "for=[::1]", "for=a;for=b", "host=a;HOST=a", "proto=a;proto=a", "for=a/b", "\"for=a\"", "for=a:80",
        "for=a, for",
        "for=ü",
    ]) func `a value that breaks the grammar says nothing`(text: String) { #expect(told(text) == nil) }
}
