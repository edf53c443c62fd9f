/// Feeding bytes to a reader in pieces, the way a connection does: what it does not consume is lent again.
import HTTP1

struct Feeding {
    let input: [UInt8]
    let limits: HeadLimits
    /// Where each piece ends; the last is the input's end.
    let ends: [Int]

    /// What a scratch holds behind another connection's message, trailers and all.
    private static let foreignRequest: RequestHead = {
        let bytes = Array(
            "PUT /foreign HTTP/1.1\r\nHost: foreign\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Foreign: 1\r\n\r\n"
                .utf8)
        var head = RequestHead()
        var reader = RequestReader()
        var position = 0
        while position < bytes.count {
            _ = try? reader.next(bytes.span, &position, head: &head, limits: .requests)
        }
        precondition(head.trailers.count == 1)
        return head
    }()

    private static let foreignResponse: ResponseHead = {
        let bytes = Array("HTTP/1.1 299 Foreign\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Foreign: 1\r\n\r\n".utf8)
        var head = ResponseHead()
        var reader = ResponseReader()
        reader.awaitResponse(to: .get)
        var position = 0
        while position < bytes.count {
            _ = try? reader.next(bytes.span, &position, head: &head, limits: .responses)
        }
        precondition(head.trailers.count == 1)
        return head
    }()

    func requests() -> Trace {
        var trace = Trace()
        var reader = RequestReader()
        var start = 0
        do throws(HTTPError) {
            for end in ends {
                // Another connection has used the scratch meanwhile.
                var head = Self.foreignRequest
                reading: while true {
                    let bytes = input.span.extracting(start..<end)
                    var position = 0
                    let event = try reader.next(bytes, &position, head: &head, limits: limits)
                    switch event {
                    case .needsMore: break
                    case .head: trace.add(head)
                    case .content(let range): trace.add(content: bytes.extracting(range))
                    case .end:
                        trace.add(trailers: head.trailers)
                        trace.add("end")
                    }
                    start += position
                    if event == .needsMore { break reading }
                }
            }
            do throws(HTTPError) { try reader.endOfInput() } catch { trace.add("incomplete") }
        } catch {
            trace.add(error)
        }
        return trace
    }

    func responses(to methods: [String]) -> Trace {
        var trace = Trace()
        var waiting = methods[...]
        var reader = ResponseReader()
        awaitNext(&waiting, &reader)
        var start = 0
        do throws(ResponseError) {
            for end in ends {
                var head = Self.foreignResponse
                reading: while true {
                    let bytes = input.span.extracting(start..<end)
                    var position = 0
                    let event = try reader.next(bytes, &position, head: &head, limits: limits)
                    switch event {
                    case .needsMore: break
                    case .interimHead: trace.add(head, as: "interim")
                    case .switchingProtocols: trace.add(head, as: "switch")
                    case .head: trace.add(head, as: "head")
                    case .content(let range): trace.add(content: bytes.extracting(range))
                    case .end:
                        trace.add(trailers: head.trailers)
                        trace.add("end")
                        awaitNext(&waiting, &reader)
                    }
                    start += position
                    if event == .needsMore { break reading }
                }
            }
            if try reader.endOfInput() { trace.add("end") }
            if start < input.count { trace.add("excess of \(input.count - start) bytes") }
        } catch {
            trace.add(error)
        }
        return trace
    }

    private func awaitNext(_ waiting: inout ArraySlice<String>, _ reader: inout ResponseReader) {
        switch waiting.popFirst() {
        case "HEAD": reader.awaitResponse(to: .head)
        case "UPGRADE": reader.awaitResponse(to: .get, upgrade: true)
        case .some: reader.awaitResponse(to: .get)
        case nil: break
        }
    }
}
