/// Runs every case of `Cases/*.md` whole, cut in two at every byte, and byte by byte: the outcome is always the same.
import HTTP1
import Testing

struct LiterateCaseTests {
    @Test(arguments: LiterateCase.all)
    func `bytes have the outcome that the case says`(given: LiterateCase) {
        let found = trace(given, [given.input.count])
        #expect(
            found.fulfils(given.outcome),
            "expected:\n\(given.outcome.joined(separator: "\n"))\nfound:\n\(found.lines.joined(separator: "\n"))")
    }

    @Test(arguments: LiterateCase.all)
    func `the outcome is the same however the bytes are cut`(given: LiterateCase) {
        let whole = trace(given, [given.input.count])
        let count = given.input.count
        // Long inputs are those of the limits; cuts at every byte of them would take minutes.
        for cut in Swift.stride(from: 0, through: count, by: count > 1000 ? count / 40 : 1) {
            let found = trace(given, [cut, count])
            #expect(found == whole, "cut at \(cut)")
        }
        let found = trace(given, Array(0...count))
        #expect(found == whole, "byte by byte")
    }

    @Test func `there are cases`() {
        #expect(LiterateCase.all.count > 150)
    }

    private func trace(_ given: LiterateCase, _ ends: [Int]) -> Trace {
        let feeding = Feeding(input: given.input, limits: given.limits, ends: ends)
        switch given.side {
        case .request: return feeding.requests()
        case .response(let methods): return feeding.responses(to: methods)
        }
    }
}
