import Foundation
import SharedByTests
import Testing

/// The same bytes through Pollhold, nginx and HAProxy. What their apps get is compared, and each difference stands in a
/// table in Cases with its reason: one that is not there fails, and so does one that is there no more.
struct ComparisonTests {
    static let cases = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Cases")

    /// What stands between the client and the app.
    enum Front {
        case pollhold(PollholdProcess)
        case peer(PeerProxy)

        func client() throws -> TestClient {
            switch self {
            case .pollhold(let process): try TestClient(port: process.port)
            case .peer(let peer): try TestClient(unix: peer.socketPath)
            }
        }
    }

    @Test func `valid requests reach the app as themselves`() throws {
        let requests = CaseText.all(in: Self.cases).filter { $0.file == "requests" }
        #expect(requests.count > 70)
        let app = try RecordingApp()
        let front = Front.pollhold(try StreamingTests.pollhold(app.app))
        for request in requests {
            let (got, statuses) = try Self.send(request, through: front, to: app)
            let expected = request.outcome.map { String(latin1: CaseText.bytes($0)) }
            #expect(got.map(\.summary) == expected, "\(request.title)")
            #expect(statuses == expected.map { _ in 200 }, "\(request.title)")
        }
    }

    @Test(arguments: PeerProxy.Kind.allCases)
    func `a peer passes on the same requests but for the listed differences`(kind: PeerProxy.Kind) throws {
        if let absence = kind.absence { return print("compare: passed over: \(absence)") }
        let tables = try DifferenceTables(Self.cases.appending(path: "differences.md"))
        let ours = try RecordingApp()
        let theirs = try RecordingApp()
        let front = Front.pollhold(try StreamingTests.pollhold(ours.app))
        let peer = Front.peer(try PeerProxy(kind, port: theirs.port))
        var found: [String] = []
        for request in CaseText.all(in: Self.cases).filter({ $0.file == "requests" }) {
            let (mine, myStatuses) = try Self.send(request, through: front, to: ours)
            let (other, statuses) = try Self.send(request, through: peer, to: theirs)
            var differences: [String] = []
            if statuses != myStatuses {
                differences.append("answers \(statuses.map(String.init).joined(separator: " "))")
            }
            if mine.count != other.count { differences.append("\(other.count) requests") }
            for (one, another) in zip(mine, other) {
                differences += tables.differences(one, another, of: kind.rawValue).filter { !differences.contains($0) }
            }
            found += differences.map { "\(request.title) | \(kind) | \($0)" }
        }
        let listed = tables.rows.filter { $0.proxy == kind.rawValue }.map {
            "\($0.request) | \($0.proxy) | \($0.difference)"
        }
        let unlisted = found.filter { !listed.contains($0) }
        let stale = listed.filter { !found.contains($0) }
        #expect(unlisted.isEmpty, "not listed:\n\(unlisted.joined(separator: "\n"))")
        #expect(stale.isEmpty, "listed and no more so:\n\(stale.joined(separator: "\n"))")
        #expect(tables.rows.allSatisfy { !$0.reason.isEmpty }, "each difference has its reason")
        print("compare: \(kind): \(found.count) differences, all listed and explained")
    }

    @Test func `malformed requests are refused with a status, and none reaches the app whole`() throws {
        let app = try RecordingApp()
        let rows = try MalformedTable.rows(Self.cases.appending(path: "malformed.md"))
        #expect(rows.count > 50)
        try Self.check("pollhold", .pollhold(try StreamingTests.pollhold(app.app)), app, rows)
        for row in rows { #expect(row.verdicts["pollhold"].flatMap { Int($0.prefix(3)) } ?? 0 >= 400, "\(row.title)") }
    }

    @Test(arguments: PeerProxy.Kind.allCases)
    func `a peer does with malformed requests what the table says`(kind: PeerProxy.Kind) throws {
        if let absence = kind.absence { return print("compare: passed over: \(absence)") }
        let app = try RecordingApp()
        let peer = Front.peer(try PeerProxy(kind, port: app.port))
        try Self.check(kind.rawValue, peer, app, MalformedTable.rows(Self.cases.appending(path: "malformed.md")))
    }

    private static func check(_ proxy: String, _ front: Front, _ app: RecordingApp, _ rows: [MalformedTable.Row]) throws
    {
        for row in rows {
            let listed = row.verdicts[proxy] ?? ""
            let hasPart = listed.hasSuffix("part")
            let (first, wasCutShort) = try Self.verdict(row.bytes, hasPart: hasPart, front, app)
            var verdict = first
            if first != listed, wasCutShort {
                // Somebody may have been stopped for longer than the wait. Once more, when what was under way is over.
                poll(nil, 0, 4000)
                _ = app.take()
                verdict = try Self.verdict(row.bytes, hasPart: hasPart, patience: 5000, front, app).verdict
            }
            if verdict != listed { Issue.record("\(proxy): \(row.title): \(verdict) instead of \(listed)") }
        }
    }

    /// Sends a case's bytes and reads as many answers as there should be.
    ///
    /// - Returns: what the app got, and the statuses of the answers but interim ones.
    private static func send(_ request: CaseText, through front: Front, to app: RecordingApp) throws -> (
        [RecordedRequest], [Int]
    ) {
        let client = try front.client()
        try client.send(request.input)
        var statuses: [Int] = []
        while statuses.count < request.outcome.count {
            let method = String(request.outcome[statuses.count].prefix { $0 != " " })
            guard let answer = try? client.response(to: method) else { break }
            if answer.status >= 200 { statuses.append(answer.status) }
            if answer["connection"]?.lowercased() == "close", answer.status >= 200 { break }
        }
        client.closeNow()
        return (app.take().whole, statuses)
    }

    /// What becomes of bytes that are no request, in the words of the table.
    ///
    /// - Parameters:
    ///   - hasPart: a part of it comes to the app, which is waited for, since it may be behind the answer.
    ///   - patience: milliseconds in which a proxy answers that does not wait for more.
    /// - Returns: that, and whether the input was ended because the patience had run out.
    static func verdict(
        _ bytes: [UInt8], hasPart: Bool, patience: Int32 = 500, _ front: Front, _ app: RecordingApp
    ) throws -> (verdict: String, wasCutShort: Bool) {
        let client = try front.client()
        try client.send(bytes)
        var status: Int?
        // A proxy that waits for more has not seen what is wrong; the end of the input shows it.
        let wasCutShort = !client.hasBytes(within: patience)
        if wasCutShort { client.finishSending() }
        while let answer = try? client.response() {
            if answer.status >= 200 {
                status = answer.status
                break
            }
        }
        client.closeNow()
        // One that does not come is missing in the verdict.
        if hasPart { try? waitUntil("a part has come to the app") { app.hasPart } }
        let (whole, parts) = app.take()
        if !whole.isEmpty { return ("forwards \(whole.count)", wasCutShort) }
        return ((status.map(String.init) ?? "close") + (parts.isEmpty ? "" : ", a part"), wasCutShort)
    }
}
