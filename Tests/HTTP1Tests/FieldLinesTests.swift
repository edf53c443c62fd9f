import ByteText
import HTTP1
import Testing

struct FieldLinesTests {
    static let text =
        "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nCookie: a=1; b=2\r\nx-one: 2\r\nX-Two:\r\ncookie: c=3; a=4\r\n\r\n"

    @Test func `a known name is found in its first line, and counted`() throws {
        let fields = try requestHead(Self.text).fields
        #expect(fields.count == 6)
        #expect(fields.has(.host))
        #expect(!fields.has(.origin))
        #expect(fields.count(of: .cookie) == 2)
        #expect(fields.count(of: .origin) == 0)
        #expect(fields.first(of: .origin) == nil)
        let line = try #require(fields.first(of: .cookie))
        let value = fields.value(of: line).string
        #expect(value == "a=1; b=2")
    }

    @Test func `any name is found in all its lines`() throws {
        let fields = try requestHead(Self.text).fields
        let first = try #require(fields.index(of: "x-one"))
        let second = try #require(fields.index(of: "x-one", from: first + 1))
        let values = [fields.value(of: fields.lines[first]).string, fields.value(of: fields.lines[second]).string]
        #expect(values == ["1", "2"])
        #expect(fields.index(of: "x-one", from: second + 1) == nil)
        #expect(fields.index(of: "x-o") == nil)
        let name = Array("x-two".utf8)
        let found = fields.first(of: name.span)
        let line = try #require(found)
        let text = fields.name(of: line).string
        #expect(text == "X-Two")
        #expect(line.valueRange.isEmpty)
        let missing = Array("x-three".utf8)
        let none = fields.first(of: missing.span)
        #expect(none == nil)
    }

    @Test func `a cookie is found in any of the fields, the first one of its name`() throws {
        let fields = try requestHead(Self.text).fields
        func value(_ name: String) -> String? {
            let bytes = Array(name.utf8)
            return fields.cookie(named: bytes.span).map { fields[$0].string }
        }
        #expect(value("a") == "1")
        #expect(value("b") == "2")
        #expect(value("c") == "3")
        #expect(value("A") == nil)
        #expect(value("d") == nil)
    }

    @Test func `parsing again into the same value keeps nothing of the last head but the room`() throws {
        var head = try requestHead(
            "GET /a HTTP/1.1\r\nHost: a\r\nOrigin: o\r\nConnection: close\r\nX: 12345678901234567890\r\n\r\n")
        let before = (head.fields.bytes.capacity, head.fields.lines.capacity)
        let small = Array("OPTIONS * HTTP/1.0\r\n\r\n".utf8)
        try head.parse(small.span)
        #expect(head.fields.isEmpty)
        #expect(!head.fields.has(.origin))
        #expect(head.hostRange.isEmpty)
        #expect(head.options == [])
        #expect((head.fields.bytes.capacity, head.fields.lines.capacity) == before)
    }

    @Test func `a head passes unchanged through the writer`() throws {
        let head = try requestHead(Self.text)
        var writer = HTTPWriter()
        writer.requestLine(of: head)
        for line in head.fields.lines { writer.field(line, of: head.fields) }
        writer.endOfHead()
        #expect(String(decoding: writer.bytes, as: UTF8.self) == Self.text.replacing("X-Two:\r\n", with: "X-Two: \r\n"))
    }
}
