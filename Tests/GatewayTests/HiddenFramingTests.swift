import ByteText
import Gateway
import HTTP1
import Testing

/// A framing field with any byte in any place of it, beside the other one: refused, or passed on so that the most
/// lenient of readers finds one framing in it, ours.
struct HiddenFramingTests {
    private static let templates = [
        "%N: V", "N%: V", "N:%V", "N: %V", "N: V%", "X: y%N: V", "X: y\r%N: V", "X: y\n%N: V", "X: y\r\n%N: V",
        "X: y\r\n%\r\nN: V", "N%N: V", "N: V%V", "N: V\r\n%: x", "N%\r\n: V",
    ]

    private func input(_ line: [UInt8], beside other: String, _ content: String) -> [UInt8] {
        Array("POST / HTTP/1.1\r\nHost: a\r\n".utf8) + line + Array("\r\n\(other)\r\n\r\n\(content)".utf8)
    }

    /// The template with its field and one byte in the place of `%`.
    private func line(_ template: String, _ name: String, _ value: String, _ byte: UInt8) -> [UInt8] {
        let text = template.replacing("N", with: name).replacing("V", with: value)
        return Array(text.utf8).flatMap { $0 == UInt8(ascii: "%") ? [byte] : [$0] }
    }

    /// The framing fields that somebody may see who ends a line at any control byte, takes any white space for none,
    /// folds every odd byte of a name, and looks no further into a value than for a word.
    private func lenientFraming(_ head: [UInt8]) -> [String] {
        var found: [String] = []
        for piece in head.split(whereSeparator: { $0 < 0x20 && $0 != 9 || $0 == 0x7F }).dropFirst() {
            guard let colon = piece.firstIndex(of: UInt8(ascii: ":")) else { continue }
            let name = String(decoding: piece[..<colon], as: UTF8.self).lowercased()
                .filter { !$0.isWhitespace && $0 != "\u{FFFD}" }.map { $0.isLetter || $0.isNumber ? $0 : "-" }
            switch String(name) {
            case "transfer-encoding": found.append("chunked")
            case "content-length": found.append("length")
            default: break
            }
        }
        return found
    }

    @Test(arguments: templates) func `no byte hides a framing field`(template: String) throws {
        let fields = [
            ("Transfer-Encoding", "chunked", "Content-Length: 5", "0\r\n\r\n"),
            ("Content-Length", "60", "Transfer-Encoding: chunked", "0\r\n\r\n"),
            ("Transfer-Encoding", "chunked", "X-Else: 1", "0\r\n\r\n"), ("Content-Length", "5", "X-Else: 1", "01234"),
        ]
        for (name, value, other, content) in fields {
            for byte in UInt8.min...UInt8.max {
                try check(input(line(template, name, value, byte), beside: other, content))
            }
        }
    }

    @Test(arguments: ["Transfer-Encoding", "Content-Length"]) func `no byte in a name hides it`(name: String) throws {
        let isCoding = name == "Transfer-Encoding"
        let other = isCoding ? "Content-Length: 5" : "Transfer-Encoding: chunked"
        for place in 0...name.count {
            for taken in 0...min(1, name.count - place) {
                let spelling = name.prefix(place) + "%" + name.dropFirst(place + taken)
                for byte in UInt8.min...UInt8.max {
                    let hidden = line("N: V", String(spelling), isCoding ? "chunked" : "60", byte)
                    try check(input(hidden, beside: other, "0\r\n\r\n"))
                }
            }
        }
    }

    private func check(_ input: [UInt8]) throws {
        var reader = RequestReader()
        var head = RequestHead()
        var position = 0
        do throws(HTTPError) {
            let event = try reader.next(input.span, &position, head: &head, limits: HeadLimits())
            #expect(event == .head)
        } catch {
            #expect([400, 501].contains(error.status))
            return
        }
        var writer = HTTPWriter()
        RequestForwarding.write(
            head, client: try ForwardingTests.client(head), host: nil, upgrading: false, into: &writer)
        let expected: [String] =
            switch head.framing {
            case .none, .untilClose: []
            case .length: ["length"]
            case .chunked: ["chunked"]
            }
        #expect(lenientFraming(writer.bytes) == expected, "\(text(input))")
    }
}
