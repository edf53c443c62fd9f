import Foundation
import Testing

/// Requests that turn out to be wrong when something is under way for them already.
struct RefusalTests {
    func pollhold(_ app: TestApp, _ more: String = "") throws -> PollholdProcess {
        try PollholdProcess(
            "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:\(app.port)\nworkers: 1\n\(more)")
    }

    /// How the response that the app has begun is framed, and what of it reaches the client.
    @Test(
        arguments: [
            ("Content-Length: 100\r\n", "begun"), ("Transfer-Encoding: chunked\r\n", "5\r\nbegun\r\n"),
            ("", "5\r\nbegun\r\n"),
        ], ["chunk", "long"])
    func `a request that breaks inside its response cuts it, and nothing is said in it`(
        response: (fields: String, begun: String), fault: String
    ) throws {
        let end = Barrier()
        let app = try TestApp(handler: { connection, app in
            guard connection.readHead() != nil else { return }
            app.note(String(decoding: connection.read(count: 9), as: UTF8.self))
            let body = response.fields.hasPrefix("T") ? "5\r\nbegun\r\n" : "begun"
            connection.send("HTTP/1.1 200 OK\r\n\(response.fields)\r\n\(body)")
            app.note(String(decoding: connection.readToEnd(), as: UTF8.self))
            end.open()
        })
        let pollhold = try pollhold(app, fault == "long" ? "limits: { request_body: 10B }\n" : "")
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
        #expect(try client.responseHead().status == 200)
        #expect(try client.readText(count: response.begun.utf8.count) == response.begun)
        try client.send(fault == "long" ? "7\r\nandmore\r\n" : "x\r\n")
        #expect(client.readToEnd() == [], "nothing behind what had come, and no last chunk")
        #expect(end.wait())
        #expect(app.requests == ["4\r\nbody\r\n", ""], "no last chunk for the app either")
    }

    @Test func `a request that breaks before its response is refused, and the app sees it cut`() throws {
        let app = try TestApp(handler: { connection, app in
            guard connection.readHead() != nil else { return }
            app.note(String(decoding: connection.read(count: 9), as: UTF8.self))
            app.note(String(decoding: connection.readToEnd(), as: UTF8.self))
        })
        let directory = try TemporaryDirectory()
        let log = directory.path + "/access.log"
        let pollhold = try pollhold(app, "log: { access: \(log) }\n")
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
        // What the client sends before its fault need not have gone on when the fault is read.
        try waitUntil("the app has the first chunk") { app.requests.count == 1 }
        try client.send("x\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        let answer = try client.response()
        #expect(answer.status == 400)
        #expect(client.readToEnd() == [])
        try waitUntil("the app's connection has ended") { app.requests.count == 2 }
        #expect(app.requests == ["4\r\nbody\r\n", ""])
        try waitUntil("it is logged as what it was answered") {
            (try? String(contentsOfFile: log, encoding: .utf8))?.contains(" 400 ") == true
        }
    }

    @Test func `the rest of an answered request that breaks is not answered again`() throws {
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            connection.send("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            _ = connection.readToEnd()
        })
        let pollhold = try pollhold(app)
        let client = try TestClient(port: pollhold.port)
        try client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n")
        #expect(try client.response().status == 413)
        try client.send("x\r\n")
        #expect(client.readToEnd() == [])
    }

    @Test(arguments: ["GET", "HEAD"]) func `only a refused HEAD is answered without a body`(method: String) throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("") })
        let pollhold = try pollhold(app)
        for opening in ["GET", "HEAD"] {
            let client = try TestClient(port: pollhold.port)
            #expect(try client.request(opening, "/").status == 200)
            try client.send("\(method) / HTTP/1.1\r\n")
            try client.send("\r\n")
            let answer = try client.response(to: method)
            #expect(answer.status == 400)
            #expect(answer.text.isEmpty == (method == "HEAD"))
            #expect(client.readToEnd() == [], "\(opening) before")
        }
    }
}
