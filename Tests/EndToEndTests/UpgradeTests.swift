import Foundation
import SharedByTests
import Testing

/// Another process takes the place of the one that runs, and neither clients nor publishers notice.
struct UpgradeTests {
    /// Whether the first process is there no more.
    static func hasEnded(_ pollhold: PollholdProcess) -> Bool {
        pollhold.errors.wait { $0.contains(" ended") } && pollhold.waitForExit() == 0
    }

    static func figure(_ pollhold: PollholdProcess, _ name: String) throws -> Int {
        try pollhold.control("GET", "/status").json[name] as? Int ?? -1
    }

    // MARK: Polls

    @Test(arguments: ["", "pool: { store: DIRECTORY/pool }"])
    func `held polls are answered by the process that takes over, and cursors stay right`(pool: String) throws {
        let pollhold = try PollholdProcess(PollTests.configuration(more: pool))
        let early = try pollhold.publish("news", "0").json["id"] as? String
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let other = try PollTests().held(pollhold, "/poll?channel=room.1&channel=news&after=now", on: "room.1")
        let trusted = try TestClient(unix: pollhold.socketPath)
        try trusted.start("GET", "/poll?channel=secret&after=now")
        try pollhold.waitForWaiting("secret") { $0 == 1 }
        let before = try TestClient(port: pollhold.port)
        let cursor = try before.request("GET", "/poll?channel=news").cursor
        let upgraded = try pollhold.upgrade()
        #expect(upgraded.status == 200, "\(upgraded.text)")
        #expect(Self.hasEnded(pollhold))
        #expect(try Self.figure(pollhold, "pid") == Int(pollhold.pid))
        try waitUntil("they are counted") { try Self.figure(pollhold, "adopted") >= 4 }
        try pollhold.waitForWaiting("news") { $0 == 2 }
        #expect(!held.hasInput && !other.hasInput && !trusted.hasInput)
        let reply = try pollhold.publish("news", "1")
        #expect(reply.json["waiting"] as? Int == 2)
        let id = try #require(reply.json["id"] as? String)
        #expect(try held.response().ids == [id])
        let answer = try other.response()
        #expect(answer.ids == [id] && !answer.hasGap)
        try pollhold.publish("secret", "2")
        #expect(try trusted.response().ids.count == 1)
        // The connection that was idle, the cursor of before, and what was in the pool.
        let missed = try before.request("GET", "/poll?channel=news&after=\(cursor)")
        #expect(missed.ids == [id] && !missed.hasGap)
        #expect(try before.request("GET", "/poll?channel=news").ids.first == early)
        // And on each connection the next poll is held.
        try held.start("GET", "/poll?channel=news&after=\(answer.cursor)")
        try pollhold.waitForWaiting("news") { $0 == 1 }
        try pollhold.publish("news", "3")
        #expect(try held.response().ids.count == 1)
    }

    @Test func `a poll's time is up when it would have been`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration("timeout: 6s", more: "log: { access: DIRECTORY/access, access_format: json }"))
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        for _ in 0..<3 { #expect(try pollhold.upgrade().status == 200) }
        let answer = try held.response()
        #expect(answer.status == 200 && answer.messages.isEmpty)
        func line() -> String? { try? String(contentsOfFile: pollhold.directory.path + "/access", encoding: .utf8) }
        try waitUntil("it is written") { line()?.contains("\n") ?? false }
        let told = try #require(
            JSONSerialization.jsonObject(with: Data(line()?.utf8 ?? "".utf8)) as? [String: Any])
        #expect(told["released"] as? String == "timeout")
        // Never earlier; how much later, a slow machine decides.
        #expect(told["held_ms"] as? Int ?? 0 >= 6000)
    }

    @Test func `polls of rechecks go on, and the app is asked when something happens`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(RecheckTests.configuration(app.port))
        let held = try RecheckTests.held(pollhold, "/updates?room=1&since=0")
        let same = try TestClient(port: pollhold.port)
        _ = try same.request("GET", "/state?room=1")
        try same.start("GET", "/state?room=1")
        try waitUntil("both are held") { try RecheckTests.heldCount(pollhold) == 2 }
        let asked = app.server.requests.count
        #expect(try pollhold.upgrade().status == 200)
        #expect(Self.hasEnded(pollhold))
        try waitUntil("both are held") { try RecheckTests.heldCount(pollhold) == 2 }
        #expect(app.server.requests.count == asked, "nobody was asked on account of it")
        #expect(!held.hasInput && !same.hasInput)
        try RecheckTests.send(pollhold, "1", "hi")
        #expect(try held.response().text == "[\"hi\"]")
        #expect(try same.response().status == 200)
        #expect(try held.request("GET", "/updates?room=1&since=0").text == "[\"hi\"]")
    }

    @Test func `a question that is under way is answered by the old process, and its poll goes over`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(RecheckTests.configuration(app.port))
        let gate = Barrier()
        app.holdBack(by: gate)
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/updates?room=1&since=0")
        try waitUntil("the app is asked") { app.server.requests.count == 1 }
        #expect(try pollhold.upgrade().status == 200)
        // What happens meanwhile is known to the new process alone.
        try pollhold.control("POST", "/publish?channel=room.1", body: "x")
        #expect(pollhold.process.isRunning)
        app.holdBack(by: nil)
        gate.open()
        #expect(Self.hasEnded(pollhold))
        try waitUntil("it is held, and the app was asked once more") {
            try RecheckTests.heldCount(pollhold) == 1 && app.polls == 2
        }
        try RecheckTests.send(pollhold, "1", "hi")
        #expect(try client.response().text == "[\"hi\"]")
    }

    @Test func `of two polls that take each other's place, the newer one is held`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration("timeout: 60s\nsupersede: \"{cookie.sid}\""))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/poll?channel=news&after=now", fields: ["Cookie": "sid=1"])
        try pollhold.waitForWaiting("news") { $0 == 1 }
        #expect(try pollhold.upgrade().status == 200)
        let newer = try TestClient(port: pollhold.port)
        try newer.start("GET", "/poll?channel=news", fields: ["Cookie": "sid=1"])
        let answer = try client.response()
        #expect(answer.status == 200 && answer.messages.isEmpty)
        try pollhold.publish("news", "1")
        #expect(try newer.response().ids.count == 1)
    }

    @Test func `each message is taken once`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration("timeout: 60s\ncursor: take"))
        for number in 0..<3 { try pollhold.publish("news", "\(number)") }
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/poll?channel=news").messages.count == 3)
        try client.start("GET", "/poll?channel=news")
        try pollhold.waitForWaiting("news") { $0 == 1 }
        #expect(try pollhold.upgrade().status == 200)
        try pollhold.publish("news", "3")
        #expect(try client.response().messages.map { $0["data"] as? Int } == [3])
    }

    @Test func `a poll whose route is gone, or whose channel may not be read any more, gets its empty answer`() throws {
        let app = try RoomApp()
        let both = RecheckTests.configuration(app.port).replacing(
            "routes:", with: "routes:\n  - { path: /poll, hold: { channels: \"{query.channel}\", allow: [news] } }")
        let pollhold = try PollholdProcess(both)
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let recheck = try RecheckTests.held(pollhold, "/updates?room=1&since=0")
        try pollhold.write(
            RecheckTests.configuration(app.port).replacing("path: /updates", with: "path: /other").replacing(
                "routes:", with: "routes:\n  - { path: /poll, hold: { channels: \"{query.channel}\", allow: [old] } }"))
        #expect(try pollhold.upgrade().status == 200)
        let answer = try held.response()
        #expect(answer.status == 200 && answer.messages.isEmpty && !answer.cursor.isEmpty)
        #expect(try held.request("GET", "/poll?channel=news").status == 403)
        #expect(try recheck.response().text == "[]")
    }

    @Test func `a grant that is revoked afterwards ends the poll that it let in`() throws {
        let app = try TestApp { _, _ in TestApp.plain("yes", fields: "") }
        let rule = "timeout: 60s\nauthorize: { path: /may, credential: \"{cookie.sid}\" }"
        let pollhold = try PollholdProcess(PollTests.configuration(rule, upstreamPort: app.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/poll?channel=news&after=now", fields: ["Cookie": "sid=1"])
        try pollhold.waitForWaiting("news") { $0 == 1 }
        #expect(try pollhold.upgrade().status == 200)
        try pollhold.waitForWaiting("news") { $0 == 1 }
        try waitUntil("it is counted") { try Self.figure(pollhold, "held") == 1 }
        _ = try pollhold.control("POST", "/revoke?credential=2")
        #expect(try Self.figure(pollhold, "held") == 1 && !client.hasInput)
        _ = try pollhold.control("POST", "/revoke?credential=1")
        #expect(try client.response().messages.isEmpty)
    }

    @Test func `a logout that is under way meanwhile ends it too`() throws {
        let app = try DrainTests.SlowApp()
        let rule = "timeout: 60s\nauthorize: { path: /may, credential: \"{cookie.sid}\", logout: POST /slow }"
        let pollhold = try PollholdProcess(PollTests.configuration(rule, upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/poll?channel=news&after=now", fields: ["Cookie": "sid=1"])
        try pollhold.waitForWaiting("news") { $0 == 1 }
        let other = try TestClient(port: pollhold.port)
        try other.start("POST", "/slow", fields: ["Cookie": "sid=1"])
        #expect(app.asked.wait())
        #expect(try pollhold.upgrade().status == 200)
        #expect(!client.hasInput)
        app.answer.open()
        #expect(try other.response().text == "finished")
        #expect(try client.response().messages.isEmpty)
    }

    @Test func `the access log has each request once, with what became of it`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "log: { access: DIRECTORY/access, access_format: json }"))
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        #expect(try pollhold.upgrade().status == 200)
        #expect(Self.hasEnded(pollhold))
        try pollhold.publish("news", "1")
        _ = try held.response()
        func lines() -> [String] {
            let text = try? String(contentsOfFile: pollhold.directory.path + "/access", encoding: .utf8)
            return text?.split(separator: "\n").map(String.init) ?? []
        }
        try waitUntil("it is written") { !lines().isEmpty }
        #expect(lines().count == 1)
        #expect(lines()[0].contains("\"target\":\"/poll?channel=news&after=now\""))
        #expect(lines()[0].contains("\"released\":\"message\""))
    }

    // MARK: Requests and publishers

    @Test func `a request under way ends in the old process, and then its connection goes over`() throws {
        let app = try DrainTests.SlowApp()
        let pollhold = try PollholdProcess(PollTests.configuration(upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/slow")
        #expect(app.asked.wait())
        let old = pollhold.pid
        #expect(try pollhold.upgrade().status == 200)
        #expect(pollhold.pid != old)
        #expect(pollhold.process.isRunning && !client.hasInput)
        app.answer.open()
        let answer = try client.response()
        #expect(answer.text == "finished" && answer["connection"] == nil)
        #expect(Self.hasEnded(pollhold))
        try client.start("GET", "/poll?channel=room.1&after=now")
        try pollhold.waitForWaiting("room.1") { $0 == 1 }
        try pollhold.publish("room.1", "1")
        #expect(try client.response().ids.count == 1)
    }

    @Test func `a request that outlives two upgrades ends with its connection at the third process`() throws {
        let app = try DrainTests.SlowApp(fields: "Pollhold-Publish: room.2\r\n")
        let pollhold = try PollholdProcess(PollTests.configuration(upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/slow")
        #expect(app.asked.wait())
        for _ in 0..<3 { #expect(try pollhold.upgrade().status == 200) }
        func lastID() throws -> Int {
            let pool = try pollhold.control("GET", "/status").json["pool"] as? [String: Any]
            return pool?["last_id"] as? Int ?? 0
        }
        let before = try lastID()
        app.answer.open()
        #expect(try client.response().text == "finished")
        #expect(Self.hasEnded(pollhold))
        try client.start("GET", "/poll?channel=room.1&after=now")
        try pollhold.waitForWaiting("room.1") { $0 == 1 }
        try waitUntil("what the app said has come") { try lastID() > before }
        try pollhold.publish("room.1", "1")
        #expect(try client.response().ids.count == 1)
    }

    @Test func `a process that ends lets the one before it end by itself`() throws {
        let app = try DrainTests.SlowApp()
        let pollhold = try PollholdProcess(PollTests.configuration(upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/slow")
        #expect(app.asked.wait())
        #expect(try pollhold.upgrade().status == 200)
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        pollhold.signal(SIGTERM)
        #expect(try held.response().status == 200)
        #expect(pollhold.errors.wait { $0.contains("takes nothing more: it has ended") })
        app.answer.open()
        #expect(try client.response().text == "finished")
        #expect(client.readToEnd() == [])
        #expect(Self.hasEnded(pollhold))
    }

    @Test func `a poll that the app is being asked about has an answer, and is held when it comes again`() throws {
        let app = try DrainTests.SlowApp()
        let rule = "timeout: 60s\nauthorize: { path: /slow, credential: \"{cookie.sid}\" }"
        let pollhold = try PollholdProcess(PollTests.configuration(rule, upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/poll?channel=news&after=now", fields: ["Cookie": "sid=1"])
        #expect(app.asked.wait())
        #expect(try pollhold.upgrade().status == 200)
        app.answer.open()
        let answer = try client.response()
        #expect(answer.status == 200 && answer.messages.isEmpty && !answer.cursor.isEmpty)
        #expect(Self.hasEnded(pollhold))
        // The new process asks once more, and the app waits with each of its answers.
        app.answer.open()
        try client.start("GET", "/poll?channel=news&after=\(answer.cursor)", fields: ["Cookie": "sid=1"])
        try pollhold.waitForWaiting("news") { $0 == 1 }
        try pollhold.publish("news", "1")
        #expect(try client.response().ids.count == 1)
    }

    @Test func `a publish rule's message from the old process reaches a poll that the new one holds`() throws {
        let app = try RoomApp()
        let pollhold = try PollholdProcess(
            RecheckTests.configuration(app.port).replacing(
                "routes:",
                with: "routes:\n  - { path: /poll, hold: { channels: \"{query.channel}\", allow: [\"**\"] } }"
            ).replacing("channels: \"room.{form.room}\"", with: "channels: \"room.{form.room}\"\n    data: request"))
        let gate = Barrier()
        app.holdBack(by: gate)
        let sender = try TestClient(port: pollhold.port)
        try sender.start("POST", "/send", body: Array("room=1&text=hi".utf8), fields: RuleTests.form)
        try waitUntil("the app has it") { app.server.requests.count == 1 }
        let held = try PollTests().held(pollhold, "/poll?channel=room.1&after=now", on: "room.1")
        #expect(try pollhold.upgrade().status == 200)
        try pollhold.waitForWaiting("room.1") { $0 == 1 }
        app.holdBack(by: nil)
        gate.open()
        #expect(try sender.response().status == 303)
        #expect(try held.response().messages.count == 1)
        #expect(Self.hasEnded(pollhold))
    }

    @Test func `publishers go on with their connections, and a key is known`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let json = ["Content-Type": "application/json", "Idempotency-Key": "order-1"]
        let publisher = try TestClient(unix: pollhold.socketPath)
        let first = try publisher.request("POST", "/publish?channel=news", body: Array("1".utf8), fields: json)
        let lines = try TestClient(unix: pollhold.socketPath)
        try lines.send("{\"channel\":\"news\",\"data\":2}\n")
        #expect(try lines.readLine().contains("\"id\":\"2\""))
        // Half a line, and half a head.
        try lines.send("{\"channel\":\"news\",")
        let slow = try TestClient(unix: pollhold.socketPath)
        try slow.send("POST /publish?channel=news HTTP/1.1\r\nHost: x\r\n")
        #expect(try pollhold.upgrade().status == 200)
        #expect(Self.hasEnded(pollhold))
        try lines.send("\"data\":3}\n")
        #expect(try lines.readLine().contains("\"id\":\"3\""))
        try slow.send("Content-Length: 1\r\n\r\n4")
        #expect(try slow.response().json["id"] as? String == "4")
        let again = try publisher.request("POST", "/publish?channel=news", body: Array("1".utf8), fields: json)
        #expect(again.json["id"] as? String == first.json["id"] as? String)
    }

    @Test func `a tunnel goes on in the old process, and its end is the process'`() throws {
        let tunnel = try TunnelTests().open("control: { socket: SOCKET }") { connection in
            while true {
                let line = connection.readLine()
                if line.isEmpty { return }
                connection.send(line + "!\n")
            }
        }
        let (pollhold, client) = (tunnel.pollhold, tunnel.client)
        try client.send("one\n")
        #expect(try client.readLine() == "one!")
        #expect(try pollhold.upgrade().status == 200)
        for word in ["two", "three"] {
            try client.send(word + "\n")
            #expect(try client.readLine() == word + "!")
        }
        #expect(pollhold.process.isRunning)
        client.closeNow()
        #expect(Self.hasEnded(pollhold))
    }

    @Test func `a publish whose body is still to come is waited for`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let publisher = try TestClient(unix: pollhold.socketPath)
        try publisher.send("POST /publish?channel=news HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1")
        // It has its head once another one that came later is answered by the same worker; there are two.
        for _ in 0..<8 { #expect(try pollhold.control("GET", "/status").status == 200) }
        let asker = try TestClient(unix: pollhold.socketPath)
        try asker.start("POST", "/upgrade")
        #expect(pollhold.errors.wait { $0.contains("upgrade: another process is started") })
        try publisher.send("1")
        #expect(try publisher.response().json["id"] as? String == "1")
        let process = try #require(try asker.response().json["process"] as? Int)
        pollhold.note(successor: Int32(process))
        #expect(Self.hasEnded(pollhold))
        let next = try publisher.request("POST", "/publish?channel=news", body: Array("2".utf8))
        #expect(next.json["id"] as? String == "2")
    }

    @Test func `a request that does not end stays with the old process until its time is up`() throws {
        let app = try RecordingApp()
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "timeouts: { upgrade: 1s }", upstreamPort: app.port))
        let client = try TestClient(port: pollhold.port)
        try client.send("POST /form HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        try waitUntil("the request is under way") { try Self.figure(pollhold, "proxied") == 1 }
        #expect(try pollhold.upgrade().status == 200)
        #expect(pollhold.errors.wait { $0.contains("timeouts.upgrade is up") })
        #expect(Self.hasEnded(pollhold))
        #expect(client.readToEnd() != nil)
        #expect(try Self.figure(pollhold, "held") == 0)
    }
}
