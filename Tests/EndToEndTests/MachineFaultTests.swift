import Foundation
import Testing

/// What the machine takes away: descriptors, room on the disk, a socket's file, all connections to the app at once.
struct MachineFaultTests {
    static func plain(_ head: String, _ connection: TestApp.Connection, _ app: TestApp) -> FaultBench.Next {
        app.note(head)
        connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
        return .keep
    }

    @Test func `with no descriptor left who is there is served, who comes waits, and all is well afterwards`() throws {
        let bench = try FaultBench(
            launcher: ["/bin/sh", "-c", "ulimit -n 100; exec \"$@\"", "sh"], handler: Self.plain)
        try bench.run(times: 2) { bench in
            func pauses() throws -> Int {
                try bench.pollhold.control("GET", "/status").json["accept_pauses"] as? Int ?? 0
            }
            let early = try bench.client()
            #expect(try early.request("GET", "/early").status == 200)
            let pausesBefore = try pauses()
            // More than there is room for; those behind the limit wait in the system's queue.
            let crowd = try (0..<150).map { _ in try bench.client() }
            for client in crowd { try client.start("GET", "/poll?channel=crowd&after=now") }
            try waitUntil("accepting is paused") {
                // Who does nothing for five seconds would have to make room.
                #expect(try early.request("GET", "/early").status == 200)
                return try pauses() > pausesBefore
            }
            let start = Date()
            let before = bench.pollhold.processorSeconds
            poll(nil, 0, 300)
            let spent = bench.pollhold.processorSeconds - before
            #expect(spent < Date().timeIntervalSince(start) / 2, "it spins")
            #expect(try early.request("GET", "/again").status == 200)
            #expect(try early.request("POST", "/again", body: [1]).text == "1")
            // The first half goes, the second comes in.
            for client in crowd.prefix(100) { client.closeNow() }
            for client in crowd.suffix(50) {
                // Each publish releases those who are held by now.
                try waitUntil("the rest is served") {
                    try bench.pollhold.publish("crowd", "1")
                    return client.hasBytes(within: 20)
                }
                #expect(try client.response().status == 200)
                client.closeNow()
            }
        }
    }

    @Test func `with all descriptors used up by others the app is out of reach, and back with the first that is free`()
        throws
    {
        // Fewer than the reserve: nothing is left for the app's connections once publishers have taken the rest.
        let app = try TestApp(respond: { _, _ in TestApp.plain("ok", fields: "Connection: close\r\n") })
        let pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: http://127.0.0.1:\(app.port)
            workers: 1
            control: { socket: SOCKET }
            timeouts: { head: 10m, keep_alive: 10m }
            """, launcher: ["/bin/sh", "-c", "ulimit -n 80; exec \"$@\"", "sh"])
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/").text == "ok")
        var publishers: [TestClient] = []
        try waitUntil("the last descriptor is taken") {
            // More can't get in, and in front of a full queue a connect waits.
            if publishers.count < 80 { publishers.append(try TestClient(unix: pollhold.socketPath)) }
            poll(nil, 0, 2)
            return pollhold.descriptors >= 80
        }
        // The connection to the app that was open until just now may have been one of them: whatever it leaves is taken
        // by those who wait in the queue behind.
        for _ in 0..<3 { publishers.append(try TestClient(unix: pollhold.socketPath)) }
        try waitUntil("the app is out of reach") { try client.request("GET", "/").status == 502 }
        #expect(try client.request("POST", "/", body: [1]).status == 502)
        publishers.removeAll()
        try waitUntil("the app is in reach") { try client.request("GET", "/").text == "ok" }
        try waitUntil("publishers are served") { (try? pollhold.publish("news", "1"))?.status == 200 }
    }

    @Test(arguments: ["text", "json"])
    func `a full disk costs log lines and nothing else`(format: String) throws {
        let bench = try FaultBench(
            more: "log: { access: /dev/full, access_format: \(format) }", handler: Self.plain)
        try bench.run(times: 3) { bench in
            let client = try bench.client()
            for _ in 0..<50 { #expect(try client.request("GET", "/").status == 200) }
            #expect(try client.request("POST", "/reload-nothing", body: [1]).text == "1")
        }
        // Requests of `run` and this one's; a line that says how many were lost is no request.
        try waitUntil("every lost line is counted once") {
            let status = try bench.pollhold.control("GET", "/status").json
            guard let lost = status["dropped_log_lines"] as? Int, let proxied = status["proxied"] as? Int,
                let polls = status["polls"] as? Int
            else { return false }
            return lost == proxied + polls
        }
    }

    @Test func `lines behind a full disk are whole again, and say how many are missing`() throws {
        let app = try TestApp(respond: { _, _ in TestApp.plain("ok") })
        // A file may have 8 KiB: that is a disk that fills up inside a line.
        let pollhold = try PollholdProcess(
            """
            listen: 127.0.0.1:0
            upstream: http://127.0.0.1:\(app.port)
            workers: 1
            control: { socket: SOCKET }
            log: { access: DIRECTORY/access.log, access_format: json }
            """, launcher: ["/bin/bash", "-c", "trap '' XFSZ; exec \"$@\"", "bash"])
        func setRoom(_ bytes: Int) throws {
            let result = try Command.run(
                ["--pid", "\(pollhold.pid)", "--fsize=\(bytes):unlimited"], program: "/usr/bin/prlimit")
            #expect(result.status == 0, "\(result.errors)")
        }
        // Once it runs: a sanitizer keeps files of its own from the start on.
        try setRoom(8192)
        let path = pollhold.directory.path + "/access.log"
        func size() -> Int { (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0 }
        func dropped() throws -> Int { try pollhold.control("GET", "/status").json["dropped_log_lines"] as? Int ?? 0 }
        let client = try TestClient(port: pollhold.port)
        try waitUntil("the disk is full") {
            _ = try client.request("GET", "/")
            return try dropped() >= 3
        }
        #expect(size() == 8192)
        // There is room again.
        try setRoom(1 << 20)
        _ = try client.request("GET", "/behind")
        try waitUntil("the log goes on") { size() > 8192 }
        // A line may still have been under way when there was room again.
        let lost = try dropped()
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let broken = lines.filter { (try? JSONSerialization.jsonObject(with: Data($0.utf8))) == nil }
        #expect(broken.count <= 1, "only the line in which the disk was full is broken")
        #expect(lines.contains { $0.contains("/behind") })
        let notices = lines.filter { $0.contains("log lines were dropped") }
        // One that was lost beside a notice is told by the next.
        let told = notices.compactMap { notice in notice.split { !$0.isNumber }.first.flatMap { Int($0) } }
        let toldInAll = told.reduce(0, +)
        #expect(!told.isEmpty && told.count == notices.count && toldInAll == lost, "\(notices)")
    }

    @Test func `a control socket whose file was removed is bound anew, and nobody else notices`() throws {
        let bench = try FaultBench(handler: Self.plain)
        try bench.run(times: 2) { bench in
            let publisher = try TestClient(unix: bench.pollhold.socketPath)
            #expect(try publisher.request("GET", "/status").status == 200)
            unlink(bench.pollhold.socketPath)
            #expect(try bench.client().request("GET", "/").status == 200)
            #expect(try publisher.request("GET", "/status").status == 200, "an open connection goes on")
            try waitUntil("publishers can connect") { (try? bench.pollhold.publish("news", "1"))?.status == 200 }
        }
        #expect(bench.pollhold.errors.wait { $0.contains("had been removed: the socket is bound anew") })
    }

    @Test func `a socket's file that another process has put there is told, and left to it`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        // In one step: were there no file for a moment, the socket might be bound anew in between.
        let other = pollhold.socketPath + ".new"
        try "someone else's".write(toFile: other, atomically: false, encoding: .utf8)
        #expect(rename(other, pollhold.socketPath) == 0)
        #expect(pollhold.errors.wait { $0.contains("another file stands at") })
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=other").status == 403)
        pollhold.signal(SIGTERM)
        #expect(pollhold.waitForExit() == 0)
        #expect(try String(contentsOfFile: pollhold.socketPath, encoding: .utf8) == "someone else's")
    }

    @Test func `a directory that was removed with the socket is told once, and service goes on`() throws {
        let bench = try FaultBench(handler: Self.plain)
        let path = bench.pollhold.directory.path
        try FileManager.default.moveItem(atPath: path, toPath: path + "-moved")
        #expect(bench.pollhold.errors.wait { $0.contains("has been removed, and nobody can connect") })
        let client = try bench.client()
        #expect(try client.request("GET", "/").status == 200)
        try FileManager.default.moveItem(atPath: path + "-moved", toPath: path)
        try waitUntil("publishers can connect") { (try? bench.pollhold.publish("news", "1"))?.status == 200 }
        let told = bench.pollhold.errors.lines.filter { $0.contains("has been removed, and nobody can connect") }
        #expect(told.count == 1)
    }

    @Test func `an app that restarts costs no GET and no POST, and no POST comes twice`() throws {
        let bench = try FaultBench(handler: Self.plain)
        try bench.run(times: 4) { bench in
            // Several connections to the app, which all wait then.
            let clients = try (0..<8).map { _ in try bench.client() }
            for client in clients { try client.start("GET", "/warm") }
            for client in clients { #expect(try client.response().status == 200) }
            let before = bench.app.requests.count
            bench.endIdleConnections()
            for number in 0..<20 {
                let method = number % 2 == 0 ? "GET" : "POST"
                let client = clients[number % clients.count]
                let answer = try client.request(method, "/\(number)", body: method == "GET" ? nil : [1])
                #expect(answer.status == 200)
            }
            let posts = bench.app.requests.dropFirst(before).filter { $0.hasPrefix("POST") }
            #expect(posts.count == 10)
        }
    }
}
