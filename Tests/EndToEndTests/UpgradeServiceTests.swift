import Foundation
import Testing

/// What an upgrade does to listeners, to the files of Unix sockets, and to a service manager.
struct UpgradeServiceTests {
    @Test func `listeners keep their sockets, come and go, and a Unix socket's file is the new process'`() throws {
        let pollhold = try PollholdProcess(ReloadTests.text(listen: "[127.0.0.1:0, \"unix:DIRECTORY/a\"]"))
        let held = try ReloadTests.unixClient(pollhold, "a")
        try held.start("GET", ReloadTests.poll)
        try pollhold.waitForWaiting("news") { $0 == 1 }
        try pollhold.write(
            ReloadTests.text(
                listen: "[127.0.0.1:0, \"unix:DIRECTORY/b\"]", more: "admin: { listen: \"unix:DIRECTORY/admin\" }"
            ).replacing("{ socket: SOCKET }", with: "{ socket: SOCKET, mode: \"0600\" }"))
        #expect(try pollhold.upgrade().status == 200)
        #expect(UpgradeTests.hasEnded(pollhold))
        let directory = pollhold.directory.path
        try waitUntil("a file that nobody wants is gone") { !FileManager.default.fileExists(atPath: directory + "/a") }
        // The port is the same one, though the system had chosen it.
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=other").status == 403)
        #expect(try ReloadTests.unixClient(pollhold, "b").request("GET", "/poll?channel=other").status == 403)
        let admin = try ReloadTests.unixClient(pollhold, "admin")
        #expect(try admin.request("GET", "/health").status == 200)
        var status = stat()
        #expect(stat(pollhold.socketPath, &status) == 0 && status.st_mode & 0o777 == 0o600)
        // A connection of the admin listener goes over too.
        #expect(try pollhold.upgrade().status == 200)
        #expect(try admin.request("GET", "/health").status == 200)
        try pollhold.publish("news", "1")
        #expect(try held.response().ids == ["1"])
        // Whoever removes the file finds it bound anew, and it goes with the process.
        unlink(pollhold.socketPath)
        try waitUntil("it is bound anew") { FileManager.default.fileExists(atPath: pollhold.socketPath) }
        pollhold.signal(SIGTERM)
        pollhold.errors.waitForEnd()
        for name in ["b", "admin", "control.sock"] {
            #expect(!FileManager.default.fileExists(atPath: directory + "/" + name), "\(name)")
        }
    }

    @Test func `nobody is refused or cut off while processes follow one another`() throws {
        let app = try RecordingApp()
        let pollhold = try PollholdProcess(PollTests.configuration(upstreamPort: app.port))
        let port = pollhold.port
        let flood = Flood(threads: 4) { thread, flood in
            var kept: TestClient?
            while flood.goesOn {
                // Each second one asks on a connection of its own, the others on one for all.
                let client = try thread % 2 == 0 ? TestClient(port: port) : kept ?? TestClient(port: port)
                kept = client
                let answer = try client.request("POST", "/form", body: Array("field=1".utf8))
                guard answer.status == 200, answer.text == "ok", answer["connection"] == nil else {
                    throw TestFailure("\(answer.statusLine) \(answer.fields)")
                }
                flood.did()
            }
        }
        for _ in 0..<5 {
            let before = flood.count
            try waitUntil("some are answered") { flood.count > before + 20 || !flood.failures.isEmpty }
            #expect(try pollhold.upgrade().status == 200)
        }
        try flood.end()
        #expect(flood.failures == [])
    }

    @Test func `a manager hears which process counts, and then that this one serves and lives`() throws {
        let manager = try NotifySocket(isAbstract: false)
        // Few signs of life: ten of them fill the socket of a manager that is stopped, and of two processes that wait
        // for room either could come first.
        let script = "WATCHDOG_PID=$$ exec \"$@\""
        let pollhold = try PollholdProcess(
            PollTests.configuration(),
            launcher: [
                "/usr/bin/env", "NOTIFY_SOCKET=\(manager.name)", "WATCHDOG_USEC=4000000", "/bin/sh", "-c", script, "sh",
            ])
        func next() throws -> [String] {
            while true {
                let message = try manager.next()
                if message != ["WATCHDOG=1"] { return message }
            }
        }
        #expect(try next() == ["READY=1", "STATUS=serving"])
        for _ in 0..<2 {
            #expect(try pollhold.upgrade().status == 200)
            #expect(try next() == ["MAINPID=\(pollhold.pid)"])
            #expect(try next() == ["READY=1", "STATUS=serving"])
            #expect(try manager.next() == ["WATCHDOG=1"])
        }
        pollhold.signal(SIGTERM)
        #expect(try next().first == "STOPPING=1")
        pollhold.errors.waitForEnd()
    }

    @Test func `sockets that a manager has given go over, those among them that nobody wants now`() throws {
        let directory = try TemporaryDirectory()
        let clients = try BoundSocket(.ipv4)
        let control = try BoundSocket(.unix(directory.path + "/control.sock"))
        let both = ActivationTests.configuration("[\"\(clients.name)\", \"unix:DIRECTORY/a\"]")
        let pollhold = try PollholdProcess(both, in: directory, given: [clients, control])
        #expect(try ReloadTests.reload(pollhold, ActivationTests.configuration("\"unix:DIRECTORY/a\"")).status == 200)
        #expect(try pollhold.upgrade().status == 200)
        #expect(UpgradeTests.hasEnded(pollhold))
        #expect(pollhold.errors.wait { $0.contains("control.sock, given by the service manager") })
        let waiting = try TestClient(port: clients.port)
        try waiting.start("GET", ActivationTests.quick)
        #expect(try ReloadTests.unixClient(pollhold, "a").request("GET", ActivationTests.quick).status == 403)
        #expect(!waiting.hasInput)
        #expect(try ReloadTests.reload(pollhold, both).status == 200)
        #expect(try waiting.response().status == 403)
        pollhold.signal(SIGTERM)
        pollhold.errors.waitForEnd()
        #expect(FileManager.default.fileExists(atPath: directory.path + "/control.sock"))
    }

    @Test func `what a process has been started with goes to no other, whatever its number`() throws {
        let numbers = [9, 1500]
        let script = "ulimit -S -n 4096; exec 9</dev/null 1500</dev/null; exec \"$@\""
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/bin/bash", "-c", script, "bash"])
        func open() -> [Int] {
            numbers.filter { number in
                let link = "/proc/\(pollhold.pid)/fd/\(number)"
                return (try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == "/dev/null"
            }
        }
        #expect(open() == numbers)
        #expect(try pollhold.upgrade().status == 200)
        #expect(open() == [])
    }

    @Test func `at the limit of connections, one that becomes free is closed and those who wait stay`() throws {
        let app = try DrainTests.SlowApp()
        let pollhold = try PollholdProcess(
            PollTests.configuration(
                "timeout: 600s", more: "limits: { connections: 3 }", upstreamPort: app.server.port))
        let client = try TestClient(port: pollhold.port)
        try client.start("GET", "/slow")
        #expect(app.asked.wait())
        #expect(try pollhold.upgrade().status == 200)
        var held: [TestClient] = []
        for _ in 0..<3 { held.append(try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")) }
        app.answer.open()
        let answer = try client.response()
        #expect(answer.text == "finished" && answer["connection"] == nil)
        #expect(client.readToEnd() == [])
        #expect(UpgradeTests.hasEnded(pollhold))
        try waitUntil("the three are counted") { try UpgradeTests.figure(pollhold, "held") == 3 }
        try pollhold.publish("news", "1")
        for client in held { #expect(try client.response().ids.count == 1) }
    }

    @Test func `the pool goes along from memory to a file, to another file, and back`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        try pollhold.publish("news", "0")
        let client = try TestClient(port: pollhold.port)
        let cursor = try client.request("GET", "/poll?channel=news").cursor
        let key = ["Content-Type": "application/json", "Idempotency-Key": "k"]
        func publishKeyed() throws -> String? {
            try pollhold.control("POST", "/publish?channel=room.1", body: "1", fields: key).json["id"] as? String
        }
        let keyed = try publishKeyed()
        var ids: [String?] = []
        for (number, store) in ["a", "a", "b", "./b", "a", "", "b"].enumerated() {
            let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
            try pollhold.write(
                PollTests.configuration(more: store.isEmpty ? "" : "pool: { store: DIRECTORY/\(store) }"))
            #expect(try pollhold.upgrade().status == 200)
            #expect(!held.hasInput)
            ids.append(try pollhold.publish("news", "\(number + 1)").json["id"] as? String)
            let answer = try held.response()
            #expect(answer.ids == [ids.last] && !answer.hasGap)
            let missed = try client.request("GET", "/poll?channel=news&after=\(cursor)")
            #expect(missed.ids == ids && !missed.hasGap)
            #expect(try publishKeyed() == keyed)
        }
        // The place of before has an old copy, and who begins with it says so.
        let behind = try PollholdProcess(PollTests.configuration(more: "pool: { store: \(pollhold.directory.path)/a }"))
        let gone = try TestClient(port: behind.port).request("GET", "/poll?channel=news&after=\(cursor)")
        #expect(gone.hasGap)
        #expect(behind.errors.text.contains("every cursor of before is told a gap"))
        // What is in the file is all of it.
        pollhold.signal(SIGKILL)
        pollhold.errors.waitForEnd()
        let next = try PollholdProcess(
            PollTests.configuration(more: "pool: { store: DIRECTORY/b }"), in: pollhold.directory)
        let missed = try TestClient(port: next.port).request("GET", "/poll?channel=news&after=\(cursor)")
        #expect(missed.ids == ids && !missed.hasGap)
    }

    @Test func `a file with another pool is not written over`() throws {
        let directory = try TemporaryDirectory()
        let stored = PollTests.configuration(more: "pool: { store: DIRECTORY/pool }")
        do {
            let other = try PollholdProcess(stored, in: directory)
            try other.publish("room.1", "\"of another pool\"")
            other.signal(SIGTERM)
            #expect(other.waitForExit() == 0)
        }
        let pollhold = try PollholdProcess(PollTests.configuration(), in: directory)
        let id = try pollhold.publish("news", "1").json["id"] as? String
        try pollhold.write(stored)
        let reply = try pollhold.upgrade()
        #expect(reply.status == 500)
        #expect((reply.json["error"] as? String)?.contains("has another pool already") == true)
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=news").ids == [id])
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        let next = try PollholdProcess(stored, in: directory)
        #expect(try TestClient(port: next.port).request("GET", "/poll?channel=room.1").messages.count == 1)
    }

    @Test func `the signal does what the request does`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        pollhold.signal(SIGUSR2)
        #expect(UpgradeTests.hasEnded(pollhold))
        let line = try #require(pollhold.errors.lines.first { $0.contains("another process serves") })
        pollhold.note(successor: try #require(line.split(separator: "=").last.flatMap { Int32($0) }))
        try pollhold.publish("news", "1")
        #expect(try held.response().ids == ["1"])
    }

    @Test func `workers may be others, and every connection has one`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        var held: [TestClient] = []
        for _ in 0..<12 { held.append(try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")) }
        for workers in [1, 3] {
            try pollhold.write(PollTests.configuration().replacing("workers: 2", with: "workers: \(workers)"))
            #expect(try pollhold.upgrade().status == 200)
            try pollhold.waitForWaiting("news") { $0 == 12 }
            for _ in 0..<12 {
                #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=x").status == 403)
            }
        }
        try pollhold.publish("news", "1")
        for client in held { #expect(try client.response().ids == ["1"]) }
    }
}
