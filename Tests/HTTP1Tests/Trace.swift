/// What a reader said of some bytes, as lines of text. Neighbouring pieces of content are one line, so that traces of
/// the same bytes cut differently are equal.
import ByteText
import HTTP1

struct Trace: Equatable {
    private(set) var lines: [String] = []
    private var content: [UInt8] = []

    /// Whether every line of `outcome` is here in its order and nothing else is, details excepted.
    func fulfils(_ outcome: [String]) -> Bool {
        var index = 0
        for expected in outcome where !expected.hasPrefix("  ") {
            while index < lines.count, lines[index].hasPrefix("  ") { index += 1 }
            guard index < lines.count, lines[index] == expected else { return false }
            index += 1
        }
        guard lines[index...].allSatisfy({ $0.hasPrefix("  ") }) else { return false }
        return groups(of: outcome).elementsEqual(groups(of: lines)) { expected, found in
            expected.allSatisfy(found.contains)
        }
    }

    /// The details below each line that is none.
    private func groups(of lines: [String]) -> [[String]] {
        var groups: [[String]] = []
        for line in lines {
            if line.hasPrefix("  "), !groups.isEmpty {
                groups[groups.count - 1].append(line)
            } else {
                groups.append([])
            }
        }
        return groups
    }

    mutating func add(_ line: String) {
        flush()
        lines.append(line)
    }

    mutating func add(content bytes: Span<UInt8>) { content.append(bytes) }

    private mutating func flush() {
        guard !content.isEmpty else { return }
        let few = "content \(Self.text(content.span))"
        lines.append(content.count > 60 ? "content of \(content.count) bytes" : few)
        content = []
    }

    mutating func add(_ head: borrowing RequestHead) {
        let method = Self.text(head[head.methodRange])
        let host = Self.text(head[head.hostRange])
        let target = head.targetRange.count > 100 ? "…" : Self.text(head[head.targetRange])
        let version = head.version == .http11 ? "1.1" : "1.0"
        let after = head.keepsAlive ? "keep" : "close"
        add("head \(method) \(target) \(version) host=\(host) \(Self.text(head.framing)) \(after)")
        add("  known method \(head.method)")
        add("  form \(head.targetForm)")
        add("  path \(Self.text(head[head.pathRange]))")
        if let query = head.queryRange { add("  query \(Self.text(head[query]))") } else { add("  no query") }
        add(head.expectsContinue ? "  expects continue" : "  expects nothing")
        if let upgrade = head.upgradeRange { add("  upgrade \(Self.text(head[upgrade]))") } else { add("  no upgrade") }
        add(head.fields, head.options)
    }

    mutating func add(_ head: borrowing ResponseHead, as kind: String) {
        let version = head.version == .http11 ? "1.1" : "1.0"
        let after = head.keepsAlive ? "keep" : "close"
        add("\(kind) \(head.status) \(version) \(Self.text(head.framing)) \(after)")
        add("  reason \(Self.text(head[head.reasonRange]))")
        add(head.fields, head.options)
    }

    private mutating func add(_ fields: borrowing FieldLines, _ options: ConnectionOptions) {
        add("  \(fields.count) fields")
        if options.contains(.close) { add("  option close") }
        if options.contains(.keepAlive) { add("  option keep-alive") }
        if options.contains(.upgrade) { add("  option upgrade") }
        var nominated = 0
        for index in 0..<fields.count {
            let line = fields.lines[index]
            let name = Self.text(fields.name(of: line))
            let value = Self.text(fields.value(of: line))
            add("  field \(name)=\(value)")
            add("  known \(name)=\(line.name)")
            if fields.lookalike(of: line) != .other { add("  lookalike \(name)=\(fields.lookalike(of: line))") }
            if line.isNominated {
                nominated += 1
                add("  nominated \(name)")
            }
        }
        if nominated == 0 { add("  nothing nominated") }
    }

    mutating func add(trailers: borrowing FieldLines) {
        for index in 0..<trailers.count {
            let line = trailers.lines[index]
            add("trailer \(Self.text(trailers.name(of: line)))=\(Self.text(trailers.value(of: line)))")
        }
    }

    mutating func add(_ error: HTTPError) { add("error \(error.status) \(error)") }

    mutating func add(_ error: ResponseError) {
        if case .malformed(let inner) = error { add("error \(inner)") } else { add("error \(error)") }
    }

    private static func text(_ framing: BodyFraming) -> String {
        switch framing {
        case .none: "none"
        case .length(let count): "length=\(count)"
        case .chunked: "chunked"
        case .untilClose: "until-close"
        }
    }

    static func text(_ bytes: Span<UInt8>) -> String {
        var text = ""
        for index in 0..<bytes.count {
            switch bytes[index] {
            case 13: text += "\\r"
            case 10: text += "\\n"
            case 9: text += "\\t"
            case 0x5C: text += "\\\\"
            case 0x20..<0x7F: text.unicodeScalars.append(Unicode.Scalar(bytes[index]))
            case let byte: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }
        return text
    }
}
