import ByteText
import HTTP1
import Testing

/// Bytes of the literate cases, changed at random from a seed: no reader traps, no outcome depends on how the bytes
/// were cut, and a head that is accepted says the same after it was written anew.
struct MutationTests {
    @Test(arguments: 1...8)
    func `changed bytes have one outcome however they are cut`(seed: UInt64) {
        var random = SplitMix(state: seed)
        let cases = LiterateCase.all.filter { $0.input.count < 400 }
        for _ in 0..<300 {
            let given = cases[Int(random.next() % UInt64(cases.count))]
            let input = mutated(given.input, &random)
            let cut = input.isEmpty ? 0 : Int(random.next() % UInt64(input.count))
            let whole = trace(given, input, [input.count])
            let twice = trace(given, input, [cut, input.count])
            let single = trace(given, input, Array(0...input.count))
            #expect(whole == twice, "seed \(seed), cut at \(cut): \(Trace.text(input.span))")
            #expect(whole == single, "seed \(seed), byte by byte: \(Trace.text(input.span))")
        }
    }

    @Test(arguments: 1...8)
    func `an accepted head says the same after it was written anew`(seed: UInt64) {
        var random = SplitMix(state: seed &+ 1000)
        var accepted = 0
        let cases = LiterateCase.all.filter { $0.input.count < 400 }
        for _ in 0..<500 {
            let given = cases[Int(random.next() % UInt64(cases.count))]
            guard case .request = given.side else { continue }
            let input = mutated(given.input, &random)
            var head = RequestHead()
            guard let length = firstHead(input, &head) else { continue }
            accepted += 1
            var writer = HTTPWriter()
            writer.requestLine(head[head.methodRange], head[head.targetRange])
            for line in head.fields.lines { writer.field(line, of: head.fields) }
            writer.endOfHead()
            var again = RequestHead()
            let whole = firstHead(writer.bytes, &again)
            #expect(whole == writer.bytes.count, "\(Trace.text(input.span.extracting(0..<length)))")
            #expect(again.framing == head.framing)
            #expect(again.fields.lines.map(\.name) == head.fields.lines.map(\.name))
            let (host, hostAgain) = (head[head.hostRange].array, again[again.hostRange].array)
            #expect(host == hostAgain)
        }
        #expect(accepted > 20)
    }

    private func firstHead(_ input: [UInt8], _ head: inout RequestHead) -> Int? {
        var reader = RequestReader()
        var position = 0
        let event = try? reader.next(input.span, &position, head: &head, limits: .requests)
        // Written anew, a head of HTTP/1.0 is one of HTTP/1.1, which has other rules.
        return event == .head && head.version == .http11 ? position : nil
    }

    private func trace(_ given: LiterateCase, _ input: [UInt8], _ ends: [Int]) -> Trace {
        let feeding = Feeding(input: input, limits: given.limits, ends: ends)
        switch given.side {
        case .request: return feeding.requests()
        case .response(let methods): return feeding.responses(to: methods)
        }
    }

    private func mutated(_ input: [UInt8], _ random: inout SplitMix) -> [UInt8] {
        let telling: [UInt8] = [13, 10, 0, 32, 9, 0x3A, 0x3B, 0x2C, 0x22, 0x30, 0x35, 0x66, 0x80, 0x5F, 0x2F, 0x61]
        var bytes = input
        for _ in 0..<1 + random.next() % 3 where !bytes.isEmpty {
            let place = Int(random.next() % UInt64(bytes.count))
            let byte = telling[Int(random.next() % UInt64(telling.count))]
            switch random.next() % 4 {
            case 0: bytes[place] = byte
            case 1: bytes.insert(byte, at: place)
            case 2: bytes.remove(at: place)
            default: bytes[place] ^= UInt8(truncatingIfNeeded: 1 << (random.next() % 8))
            }
        }
        return bytes
    }
}

/// A small generator whose numbers depend on its seed alone.
private struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return value ^ value >> 31
    }
}
