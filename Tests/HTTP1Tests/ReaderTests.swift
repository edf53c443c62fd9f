import ByteText
import HTTP1
import Testing

/// What the readers say of themselves, between and behind messages.
struct ReaderTests {
    private func feed(_ reader: inout RequestReader, _ text: String) throws(HTTPError) -> [RequestEvent] {
        let bytes = Array(text.utf8)
        var head = RequestHead()
        var position = 0
        var events: [RequestEvent] = []
        repeat {
            events.append(try reader.next(bytes.span, &position, head: &head, limits: .requests))
        } while events.last != .needsMore
        return events
    }

    @Test func `a reader is small, for there is one for each connection`() {
        #expect(MemoryLayout<RequestReader>.size <= 48)
        #expect(MemoryLayout<ResponseReader>.size <= 48)
    }

    @Test func `a reader is idle before, between and behind requests`() throws {
        var reader = RequestReader()
        #expect(reader.isIdle)
        #expect(try feed(&reader, "\r\n") == [.needsMore])
        #expect(reader.isIdle)
        #expect(try feed(&reader, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n") == [.head, .needsMore])
        #expect(!reader.isIdle)
        #expect(reader.isInContent)
        #expect(try feed(&reader, "ab") == [.content(0..<2), .end, .needsMore])
        #expect(reader.isIdle)
        try reader.endOfInput()
        #expect(reader.isFinished)
    }

    @Test func `some bytes of a head are no idleness`() throws {
        var reader = RequestReader()
        #expect(try feed(&reader, "G") == [.needsMore])
        #expect(!reader.isIdle)
        #expect(reader.isInHead)
        #expect(throws: HTTPError.endedEarly) { try reader.endOfInput() }
    }

    @Test func `behind a refusal everything is swallowed`() throws {
        var reader = RequestReader()
        #expect(throws: HTTPError.notHTTP) { try feed(&reader, "\0") }
        #expect(reader.isFinished)
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        var head = RequestHead()
        var position = 0
        let event = try reader.next(bytes.span, &position, head: &head, limits: .requests)
        #expect(event == .needsMore)
        #expect(position == bytes.count)
    }

    @Test func `a finished reader reads nothing more`() throws {
        var reader = RequestReader()
        reader.finish()
        #expect(try feed(&reader, "GET / HTTP/1.1\r\nHost: a\r\n\r\n") == [.needsMore])
    }

    @Test func `a head's bytes are consumed at once or not at all`() throws {
        var reader = RequestReader()
        var head = RequestHead()
        let bytes = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        for count in 0..<bytes.count {
            var position = 0
            let event = try reader.next(
                bytes.span.extracting(0..<count), &position, head: &head, limits: .requests)
            #expect(event == .needsMore)
            #expect(position == 0)
        }
        var position = 0
        let event = try reader.next(bytes.span, &position, head: &head, limits: .requests)
        #expect(event == .head)
        #expect(position == bytes.count)
    }

    @Test func `bytes that no request asked for are not consumed`() throws {
        var reader = ResponseReader()
        var head = ResponseHead()
        var position = 0
        let bytes = Array("HTTP/1.1 408 Request Timeout\r\n\r\n".utf8)
        let event = try reader.next(bytes.span, &position, head: &head, limits: .responses)
        #expect(event == .needsMore)
        #expect(position == 0)
        #expect(reader.isIdle)
        #expect(try !reader.endOfInput())
    }

    @Test func `a response is untouched until its first byte`() throws {
        var reader = ResponseReader()
        var head = ResponseHead()
        var position = 0
        reader.awaitResponse(to: .get)
        #expect(reader.isUntouched)
        let bytes = Array("H".utf8)
        _ = try reader.next(bytes.span, &position, head: &head, limits: .responses)
        #expect(!reader.isUntouched)
        #expect(throws: ResponseError.endedInHead) { try reader.endOfInput() }
    }

    @Test func `methods are safe and idempotent as registered`() {
        let all: [Method] = [
            .get, .head, .post, .put, .delete, .options, .patch, .trace, .connect, .purge, .ban, .other,
        ]
        #expect(all.filter(\.isSafe) == [.get, .head, .options, .trace])
        #expect(all.filter(\.isIdempotent) == [.get, .head, .put, .delete, .options, .trace])
    }

    @Test func `a field named by Connection is found without limit to its place`() throws {
        let head = try requestHead("GET / HTTP/1.1\r\nX-Late: 1\r\nConnection: X-late\r\nHost: a\r\n\r\n")
        #expect(head.fields.lines.map(\.isNominated) == [true, false, false])
    }
}
