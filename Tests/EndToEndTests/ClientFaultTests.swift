import Foundation
import Testing

/// A client that goes at each stage of its connection: what was begun for it ends at once, and nothing is left behind.
struct ClientFaultTests {
    enum Way: String, CaseIterable { case end, reset, close }

    static func leave(_ client: TestClient, _ way: Way) {
        switch way {
        case .end: client.finishSending()
        case .reset: client.reset()
        case .close: client.closeNow()
        }
    }

    /// An app that says where it is and then does what the path asks for, until its peer goes.
    static func bench(_ asked: Barrier, _ left: Barrier) throws -> FaultBench {
        try FaultBench { head, connection, _ in
            if head.contains("/streaming") { connection.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun") }
            if head.contains("/tunnel") { connection.send(TunnelTests.switching) }
            if head.contains("/flood") {
                connection.send("HTTP/1.1 200 OK\r\n\r\n")
                asked.open()
                while connection.send([UInt8](repeating: 0x61, count: 65536)) {}
            } else {
                asked.open()
                _ = connection.readToEnd()
            }
            left.open()
            return .close
        }
    }

    static let get = "HTTP/1.1\r\nHost: t\r\n\r\n"

    static let exchanges = [
        "GET /waiting \(get)", "GET /streaming \(get)", "GET /flood \(get)", TunnelTests.upgrade("/tunnel"),
        TunnelTests.upgrade("/waiting"), "POST /waiting HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nhalf",
        "POST /waiting HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        "POST /waiting HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        "GET /waiting \(get)GET /behind \(get)GET /beh",
    ]

    @Test(arguments: Way.allCases)
    func `a client that goes in an exchange takes the app's work with it`(way: Way) throws {
        let asked = Barrier()
        let left = Barrier()
        let bench = try Self.bench(asked, left)
        try bench.run(times: 4) { bench in
            for text in Self.exchanges {
                let client = try bench.client()
                try client.send(text)
                #expect(asked.wait())
                Self.leave(client, way)
                #expect(left.wait(), "the app works for nobody: \(text)")
            }
        }
    }

    static let beginnings = [
        "", "GET / HT", "GET / HTTP/1.1\r\nHost: t\r\nX: ", "\r\n", "GET /poll?channel=a&after=now \(get)",
        "GET /poll?channel=a&after=now \(get)GET /poll?channel=b&after=now \(get)GET",
    ]

    @Test(arguments: Way.allCases)
    func `a client that goes between requests, in a head or held leaves nothing`(way: Way) throws {
        let bench = try FaultBench { _, connection, _ in
            connection.send(TestApp.plain("ok"))
            return .keep
        }
        try bench.run(times: 4) { bench in
            for text in Self.beginnings {
                let client = try bench.client()
                try client.send(text)
                let isPoll = text.contains("/poll")
                if isPoll { try bench.pollhold.waitForWaiting("a") { $0 == 1 } }
                Self.leave(client, way)
                if isPoll { try bench.pollhold.waitForWaiting("a") { $0 == 0 } }
            }
        }
    }

    @Test func `a client that does not read its response is given up, and the app with it`() throws {
        let asked = Barrier()
        let left = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            asked.open()
            connection.send("HTTP/1.1 200 OK\r\n\r\n")
            while connection.send([UInt8](repeating: 0x61, count: 65536)) {}
            left.open()
        })
        let pollhold = try StreamingTests.pollhold(app, "timeouts: { write: 200ms }\n")
        let client = try TestClient(port: pollhold.port, receiveBytes: 4096)
        try client.start("GET", "/")
        #expect(asked.wait())
        #expect(left.wait())
        let isCut = (try? client.response())?.isCut ?? true
        #expect(isCut, "a body that was cut for its reader's sake does not end cleanly")
    }
}
