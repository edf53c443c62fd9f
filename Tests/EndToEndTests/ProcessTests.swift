import Foundation
import Testing

/// Start, signals, limits, logs: what an operator meets.
struct ProcessTests {
    @Test func `SIGTERM answers held polls, lets running requests finish, and ends with 0`() throws {
        let asked = Barrier()
        let answer = Barrier()
        let app = try TestApp(handler: { connection, _ in
            guard connection.readHead() != nil else { return }
            asked.open()
            answer.wait()
            connection.send(TestApp.plain("finished"))
        })
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "log: { access: stderr }", upstreamPort: app.port))
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let request = try TestClient(port: pollhold.port)
        try request.start("GET", "/slow")
        #expect(asked.wait())
        let idle = try TestClient(port: pollhold.port)
        pollhold.signal(SIGTERM)
        let released = try poll.response()
        #expect(released.status == 200)
        #expect(released.messages.isEmpty)
        #expect(released["connection"] == "close")
        #expect(poll.readToEnd() == [])
        #expect(idle.readToEnd() == [])
        answer.open()
        #expect(try request.response().text == "finished")
        #expect(pollhold.waitForExit() == 0)
        #expect(!FileManager.default.fileExists(atPath: pollhold.socketPath))
        pollhold.errors.waitForEnd()
        #expect(pollhold.errors.text.contains("released=drain"))
    }

    @Test func `the drain's end cuts off what does not finish`() throws {
        let app = try TestApp(handler: { connection, _ in
            _ = connection.readHead()
            _ = connection.readToEnd()
        })
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "timeouts: { drain: 300ms }", upstreamPort: app.port))
        let request = try TestClient(port: pollhold.port)
        try request.start("GET", "/never")
        try waitUntil("the request has reached the app") { app.connectionCount == 1 }
        pollhold.signal(SIGINT)
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `SIGHUP applies a good file while polls stay held, and a bad one changes nothing`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        try pollhold.write(PollTests.configuration("timeout: 100ms"))
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("configuration reloaded") })
        let quick = try TestClient(port: pollhold.port)
        #expect(try quick.request("GET", "/poll?channel=news").messages.isEmpty)
        try pollhold.write("listen: nonsense\nroutes: 5\n")
        pollhold.signal(SIGHUP)
        #expect(pollhold.errors.wait { $0.contains("pollhold.yaml:1:9") })
        let refused = try pollhold.control("POST", "/reload")
        #expect(refused.status == 422)
        #expect((refused.json["error"] as? String)?.contains("pollhold.yaml:2:9") == true)
        #expect(try quick.request("GET", "/poll?channel=news").status == 200)
        try pollhold.publish("news", "1")
        #expect(try poll.response().ids == ["1"])
        let status = try pollhold.control("GET", "/status").json
        #expect(status["reloads"] as? Int == 1)
        #expect(status["refused_reloads"] as? Int == 2)
    }

    @Test func `a held poll whose channel a reload forbids is answered, one that it allows stays`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let news = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let room = try PollTests().held(pollhold, "/poll?channel=room.1&after=now", on: "room.1")
        try pollhold.write(PollTests.configuration().replacing("[news, \"room.*\"]", with: "[news]"))
        #expect(try pollhold.control("POST", "/reload").status == 200)
        #expect(try room.response().messages.isEmpty)
        #expect(try room.request("GET", "/poll?channel=room.1").status == 403)
        try pollhold.publish("news", "1")
        #expect(try news.response().ids == ["1"])
    }

    @Test func `a stale socket file is replaced, a live one and a taken port are refused`() throws {
        let directory = try TemporaryDirectory()
        let first = try PollholdProcess(PollTests.configuration(), in: directory)
        kill(first.pid, SIGKILL)
        _ = first.waitForExit()
        #expect(FileManager.default.fileExists(atPath: first.socketPath))
        let second = try PollholdProcess(PollTests.configuration(), in: directory)
        #expect(try second.publish("news", "1").status == 200)
        let refused = try Command.run(["serve", "--config", second.configurationPath])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("somebody listens there"))
        try second.write("listen: 127.0.0.1:\(second.port)\nupstream: http://127.0.0.1:9\nworkers: 2\n")
        let taken = try Command.run(["serve", "--config", second.configurationPath])
        #expect(taken.status == 1)
        #expect(taken.errors.contains("Address already in use"))
    }

    @Test func `the socket has the mode that was asked for`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration().replacing("socket: SOCKET", with: "socket: SOCKET, mode: \"0600\""))
        var status = stat()
        stat(pollhold.socketPath, &status)
        #expect(status.st_mode & 0o777 == 0o600)
    }

    @Test func `at the descriptor limit accepting pauses, nothing spins, and service goes on`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration("timeout: 60s"), launcher: ["/bin/sh", "-c", "ulimit -n 120; exec \"$@\"", "sh"])
        var clients: [TestClient] = []
        for number in 0..<200 {
            let client = try TestClient(port: pollhold.port)
            // The last ones have a channel of their own, so that nobody who is still leaving is taken for one of them.
            try client.start("GET", "/poll?channel=\(number < 150 ? "news" : "room.last")&after=now")
            clients.append(client)
        }
        #expect(pollhold.errors.wait { $0.contains("accepting is paused") })
        let before = pollhold.processorSeconds
        poll(nil, 0, 1000)
        #expect(pollhold.processorSeconds - before < 0.5)
        clients.prefix(150).forEach { $0.closeNow() }
        // Those who waited in the backlog come in now.
        try waitUntil("the last fifty are held") {
            guard let reply = try? pollhold.control("GET", "/channels/room.last") else { return false }
            return reply.json["waiting"] as? Int == 50
        }
        try pollhold.publish("room.last", "1")
        for client in clients.suffix(50) { #expect(try client.response().ids == ["1"]) }
    }

    @Test func `more polls than the limit are answered 503 and the others stay held`() throws {
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "limits: { polls: 4 }\n").replacing("workers: 2", with: "workers: 1"))
        var held: [TestClient] = []
        for _ in 0..<4 { held.append(try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")) }
        let client = try TestClient(port: pollhold.port)
        let refused = try client.request("GET", "/poll?channel=news&after=now")
        #expect(refused.status == 503)
        #expect(refused["retry-after"] != nil)
        try pollhold.publish("news", "1")
        for client in held { #expect(try client.response().ids == ["1"]) }
        #expect(try client.request("GET", "/poll?channel=news").ids == ["1"])
    }

    @Test(arguments: ["text", "json"])
    func `the access log tells of each request, and of a poll why it ended`(format: String) throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("ok") })
        let pollhold = try PollholdProcess(
            PollTests.configuration(
                "timeout: 100ms", more: "log: { access: DIRECTORY/access.log, access_format: \(format) }",
                upstreamPort: app.port))
        let client = try TestClient(port: pollhold.port)
        _ = try client.request(
            "GET", "/a\"b?c=\u{e9}".addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? "/",
            fields: ["User-Agent": "x\"\\y", "Referer": "r"])
        _ = try client.request("GET", "/poll?channel=news")
        try pollhold.publish("news", "1")
        _ = try client.request("GET", "/poll?channel=news")
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        let lines = try String(contentsOfFile: pollhold.directory.path + "/access.log", encoding: .utf8).split(
            separator: "\n"
        ).map(String.init)
        #expect(lines.count == 3)
        if format == "json" {
            let objects = lines.compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            #expect(objects.count == 3)
            #expect(objects[0]["user_agent"] as? String == "x\"\\y")
            #expect(objects[0]["status"] as? Int == 200)
            #expect(objects[1]["released"] as? String == "timeout")
            #expect((objects[1]["held_ms"] as? Int ?? 0) >= 100)
            #expect(objects[2]["released"] as? String == "found")
            #expect(objects[2]["messages"] as? Int == 1)
        } else {
            #expect(lines[0].contains("\" 200 2 \"r\" \"x\\x22\\x5cy\" request_id="))
            #expect(lines[1].contains("released=timeout messages=0"))
            #expect(lines[2].contains("released=found messages=1"))
        }
    }

    @Test func `a core dump would show nothing of the memory`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let filter = try String(contentsOfFile: "/proc/\(pollhold.pid)/coredump_filter", encoding: .utf8)
        #expect(UInt64(filter.split(separator: "\n")[0], radix: 16) == 0x10)
    }

    @Test func `an unprivileged user runs everything in a directory of his own`() throws {
        guard getuid() == 0 else {
            print("process: not root, so every test of this run is by an unprivileged user")
            return
        }
        let directory = try TemporaryDirectory()
        chmod(directory.path, 0o777)
        let copy = directory.path + "/pollhold"
        try ProgramFile.copy(to: copy)
        let pollhold = try PollholdProcess(
            PollTests.configuration(),
            launcher: [
                "/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/bin/sh", "-c",
                "shift; exec \"\(copy)\" \"$@\"", "sh",
            ],
            in: directory)
        let text = try String(contentsOfFile: "/proc/\(pollhold.pid)/status", encoding: .utf8)
        #expect(text.contains("Uid:\t65534\t65534"))
        try pollhold.publish("news", "1")
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=news").ids == ["1"])
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
    }
}
