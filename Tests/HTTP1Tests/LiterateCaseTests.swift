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

    /// Requests that may precede any other on its connection, each with a framing of its own.
    static let openings = [
        "GET /first HTTP/1.1\r\nHost: first\r\n\r\n",
        "POST /first HTTP/1.1\r\nHost: first\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-First: 1\r\n\r\n",
        "POST /first HTTP/1.1\r\nHost: first\r\nContent-Length: 3\r\n\r\nGET",
        "OPTIONS * HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    ]
    static let requests = LiterateCase.all.filter {
        if case .request = $0.side { $0.limits == HeadLimits.requests } else { false }
    }

    @Test(arguments: requests)
    func `the outcome is the same behind other requests`(given: LiterateCase) {
        let whole = trace(given, [given.input.count])
        for opening in Self.openings {
            let before = Array(opening.utf8)
            let first = Feeding(input: before, limits: given.limits, ends: [before.count]).requests()
            let all = before + given.input
            for ends in [[all.count], Array(0...all.count)] where ends.count < 2000 {
                let found = Feeding(input: all, limits: given.limits, ends: ends).requests()
                #expect(found.lines == first.lines + whole.lines, "behind \(opening)")
            }
        }
    }

    @Test(arguments: requests)
    func `what follows is read as a request behind a whole one that stays, and never else`(given: LiterateCase) {
        let whole = trace(given, [given.input.count])
        // What has not ended goes on in whatever follows.
        guard let last = whole.lines.last, last != "incomplete" else { return }
        let behind = Array("GET /next HTTP/1.1\r\nHost: next\r\n\r\n".utf8)
        let next = Feeding(input: behind, limits: given.limits, ends: [behind.count]).requests()
        let found = Feeding(input: given.input + behind, limits: given.limits, ends: [given.input.count + behind.count])
            .requests()
        let stays = last == "end" && whole.lines.last { $0.hasPrefix("head ") }?.hasSuffix(" keep") == true
        #expect(found.lines == whole.lines + (stays ? next.lines : []))
    }

    @Test func `there are cases`() {
        #expect(LiterateCase.all.count > 700)
        #expect(Self.requests.count > 500)
    }

    private func trace(_ given: LiterateCase, _ ends: [Int]) -> Trace {
        let feeding = Feeding(input: given.input, limits: given.limits, ends: ends)
        switch given.side {
        case .request: return feeding.requests()
        case .response(let methods): return feeding.responses(to: methods)
        }
    }
}
