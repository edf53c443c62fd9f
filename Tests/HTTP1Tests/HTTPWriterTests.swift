import ByteText
import Testing

@testable import HTTP1

struct HTTPWriterTests {
    private func written(_ write: (inout HTTPWriter) -> Void) -> String {
        var writer = HTTPWriter()
        write(&writer)
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    @Test func `a request is written from its parts`() {
        let target = Array("/a?b".utf8)
        let value = Array("v".utf8)
        let name = Array("X-Own".utf8)
        let text = written {
            $0.requestLine("GET", target.span)
            $0.field("Host", "a")
            $0.field("Content-Length", decimal: 18_446_744_073_709_551_615 as UInt64)
            $0.field("X", value.span)
            $0.field(name.span, value.span)
            $0.endOfHead()
        }
        #expect(
            text
                == "GET /a?b HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\nX: v\r\nX-Own: v\r\n\r\n")
    }

    @Test(arguments: [
        ("GET /a?b=c", "GET /a?b=c"), ("OPTIONS *", "OPTIONS *"), ("GET http://h/a?b", "GET /a?b"),
        ("GET http://h", "GET /"), ("GET http://h?q", "GET /?q"), ("OPTIONS http://h", "OPTIONS *"),
        ("OPTIONS http://h?q", "OPTIONS /?q"), ("OPTIONS http://h/", "OPTIONS /"), ("GET /?", "GET /?"),
        ("GET http://h/?", "GET /?"), ("M /%2e/../", "M /%2e/../"),
    ])
    func `the next server gets the origin form`(given: String, expected: String) throws {
        let head = try requestHead("\(given) HTTP/1.1\r\nHost: h\r\n\r\n")
        let text = written { $0.requestLine(of: head) }
        #expect(text == "\(expected) HTTP/1.1\r\n")
    }

    @Test func `every status line has its three digits and its registered phrase`() {
        #expect(written { $0.statusLine(200) } == "HTTP/1.1 200 OK\r\n")
        #expect(written { $0.statusLine(599) } == "HTTP/1.1 599 \r\n")
        for status in 100...599 {
            let phrase = StatusReason(status).phrase.description
            #expect(written { $0.statusLine(status) } == "HTTP/1.1 \(status) \(phrase)\r\n")
        }
    }

    @Test func `every status of an error has a phrase`() {
        for status in [400, 408, 413, 414, 417, 431, 501, 502, 505] {
            #expect(StatusReason(status).phrase.utf8CodeUnitCount > 0)
        }
    }

    @Test(arguments: ["HTTP/1.1 404 Not Really", "HTTP/1.1 999 ", "HTTP/1.1 200 OK"])
    func `a response's status and reason are passed on`(line: String) throws {
        let head = try responseHead("\(line)\r\n\r\n")
        #expect(written { $0.statusLine(of: head) } == "\(line)\r\n")
    }

    @Test func `a control byte in a value becomes a space`() {
        let value = Array("a\r\nX: y\0\u{7F}\tb".utf8)
        let name = Array("N".utf8)
        #expect(written { $0.field("N", value.span) } == "N: a  X: y  \tb\r\n")
        #expect(written { $0.field(name.span, value.span) } == "N: a  X: y  \tb\r\n")
    }

    @Test func `a field can be written in pieces`() {
        let piece = Array("1.2.3.4".utf8)
        let text = written {
            $0.beginField("X-Forwarded-For")
            $0.appendText(piece.span)
            $0.bytes.append(", ")
            $0.appendText(piece.span)
            $0.endField()
        }
        #expect(text == "X-Forwarded-For: 1.2.3.4, 1.2.3.4\r\n")
    }

    @Test func `chunks are read back as the same content`() throws {
        let content = Array(repeating: UInt8(0x61), count: 300)
        var writer = HTTPWriter()
        writer.chunk(content.span)
        writer.chunk(Span())
        writer.chunk(content.span.extracting(0..<1))
        writer.lastChunk()
        #expect(writer.bytes.starts(with: Array("12c\r\naaa".utf8)))
        #expect(writer.bytes.suffix(11) == Array("1\r\na\r\n0\r\n\r\n".utf8).suffix(11))
        var reader = BodyReader(.chunked)
        var trailers = FieldLines()
        var position = 0
        var count = 0
        while case .content(let range) = try reader.next(
            writer.bytes.span, &position, trailers: &trailers, limits: HeadLimits.requests)
        {
            count += range.count
        }
        #expect(count == 301)
        #expect(reader.isAtEnd)
        #expect(position == writer.bytes.count)
    }

    @Test func `trailers are written behind the last chunk`() throws {
        var reader = BodyReader(.chunked)
        var trailers = FieldLines()
        var position = 0
        let bytes = Array("0\r\nX-Sum: 1\r\nETag:x\r\n\r\n".utf8)
        _ = try reader.next(bytes.span, &position, trailers: &trailers, limits: HeadLimits.requests)
        let text = written {
            $0.beginTrailers()
            for line in trailers.lines { $0.field(line, of: trailers) }
            $0.endOfHead()
        }
        #expect(text == "0\r\nX-Sum: 1\r\nETag: x\r\n\r\n")
        #expect(written { $0.lastChunk() } == "0\r\n\r\n")
    }

    @Test func `a reset writer keeps its room`() {
        var writer = HTTPWriter()
        writer.statusLine(200)
        let capacity = writer.bytes.capacity
        writer.reset()
        #expect(writer.bytes.isEmpty)
        #expect(writer.bytes.capacity == capacity)
    }
}
