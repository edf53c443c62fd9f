/// Chunked content: against an obvious reader of the whole, and independent of the cuts.
import ByteText
import HTTP1

enum ChunkedLaws {
    struct Outcome: Equatable {
        var content: [UInt8] = []
        var trailers: [UInt8] = []
        var consumed = 0
        var isWhole = false
        var error: HTTPError?
    }

    static func check(_ bytes: [UInt8]) throws {
        let cuts = Cuts(bytes).all
        let outcome = read(bytes, cuts[0])
        for ends in cuts.dropFirst() {
            let found = read(bytes, ends)
            try require(found == outcome, "cut at \(ends.prefix(3)): \(found)\nwhole: \(outcome)")
        }
        switch PlainChunks(bytes).outcome {
        case .whole(let content, let consumed):
            // What stands in trailers is another law's matter.
            if outcome.error == .forbiddenTrailer { return }
            try require(
                outcome.isWhole && outcome.content == content && outcome.consumed == consumed, "not whole: \(outcome)")
        case .incomplete: try require(!outcome.isWhole, "whole, but it is not: \(outcome)")
        case .broken: try require(outcome.error != nil, "nothing wrong found: \(outcome)")
        }
    }

    private static func read(_ bytes: [UInt8], _ ends: [Int]) -> Outcome {
        var outcome = Outcome()
        var reader = BodyReader(.chunked)
        var trailers = FieldLines()
        do throws(HTTPError) {
            for end in ends {
                reading: while !outcome.isWhole {
                    let rest = bytes.span.extracting(outcome.consumed..<end)
                    var position = 0
                    let event = try reader.next(rest, &position, trailers: &trailers, limits: .requests)
                    outcome.consumed += position
                    switch event {
                    case .needsMore: break reading
                    case .content(let range): outcome.content += rest.extracting(range).array
                    case .end:
                        outcome.isWhole = true
                        outcome.trailers = trailers.isEmpty ? [] : trailers.bytes
                    }
                }
            }
        } catch {
            outcome.error = error
            outcome.consumed = 0
        }
        return outcome
    }
}

/// The slow twin: has all the bytes, goes line by line, and is as obvious as can be.
struct PlainChunks {
    enum Outcome: Equatable {
        case whole(content: [UInt8], consumed: Int)
        case incomplete
        case broken
    }

    private let bytes: [UInt8]
    private var position = 0
    private(set) var outcome = Outcome.incomplete

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        outcome = read()
    }

    private mutating func read() -> Outcome {
        var content: [UInt8] = []
        while true {
            guard let line = nextLine() else { return .incomplete }
            guard line.count <= HeadLimits.requests.chunkLineBytesLimit, let size = size(line) else { return .broken }
            if size == 0 { return trailers(content) }
            guard size <= bytes.count - position - 2 else {
                content += bytes[position...]
                return .incomplete
            }
            content += bytes[position..<position + size]
            position += size
            guard bytes[position] == 13, bytes[position + 1] == 10 else { return .broken }
            position += 2
        }
    }

    /// Up to CRLF; nil if there is none.
    private mutating func nextLine() -> [UInt8]? {
        var end = position
        while end + 1 < bytes.count {
            if bytes[end] == 13, bytes[end + 1] == 10 {
                defer { position = end + 2 }
                return Array(bytes[position..<end])
            }
            end += 1
        }
        return nil
    }

    private static let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)

    private func size(_ line: [UInt8]) -> Int? {
        let digits = line.prefix { Character(Unicode.Scalar($0)).isHexDigit && $0 < 128 }
        guard (1...16).contains(digits.count), let text = String(validating: digits, as: UTF8.self) else { return nil }
        guard let size = Int(text, radix: 16) else { return nil }
        var rest = line.dropFirst(digits.count)
        while !rest.isEmpty {
            guard rest.removeFirst() == UInt8(ascii: ";"), takeToken(&rest) else { return nil }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest.removeFirst()
            if rest.first == UInt8(ascii: "\"") {
                guard takeQuoted(&rest) else { return nil }
            } else {
                guard takeToken(&rest) else { return nil }
            }
        }
        return size
    }

    private func takeToken(_ rest: inout ArraySlice<UInt8>) -> Bool {
        let token = rest.prefix { Self.token.contains($0) }
        rest = rest.dropFirst(token.count)
        return !token.isEmpty
    }

    private func takeQuoted(_ rest: inout ArraySlice<UInt8>) -> Bool {
        rest.removeFirst()
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return true }
            guard byte == 9 || (byte >= 32 && byte != 127) else { return false }
            guard byte == UInt8(ascii: "\\") else { continue }
            guard let pair = rest.popFirst(), pair == 9 || (pair >= 32 && pair != 127) else { return false }
        }
        return false
    }

    private mutating func trailers(_ content: [UInt8]) -> Outcome {
        let start = position
        var count = 0
        var areGood = true
        while let line = nextLine() {
            if line.isEmpty {
                areGood = areGood && position - start <= HeadLimits.requests.trailerBytesLimit
                return areGood ? .whole(content: content, consumed: position) : .broken
            }
            count += 1
            let name = line.prefix { Self.token.contains($0) }
            let value = line.dropFirst(name.count)
            areGood =
                areGood && !name.isEmpty && value.first == UInt8(ascii: ":")
                && count <= HeadLimits.requests.fieldCountLimit
                && value.allSatisfy { $0 == 9 || ($0 >= 32 && $0 != 127) }
        }
        return .incomplete
    }
}
