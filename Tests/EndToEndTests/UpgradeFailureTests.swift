import Foundation
import Testing

/// Upgrades that come to nothing: whatever goes wrong in the other process, the one that runs goes on with everything.
struct UpgradeFailureTests {
    /// A poll that is held before and behind an upgrade that fails, and what is said of that.
    private func failure(
        _ pollhold: PollholdProcess, status: Int = 500, _ upgrade: (PollholdProcess) throws -> TestResponse
    ) throws -> String {
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let pid = pollhold.pid
        let reply = try upgrade(pollhold)
        #expect(reply.status == status)
        #expect(pollhold.pid == pid)
        #expect(!held.hasInput)
        try pollhold.waitForWaiting("news") { $0 == 1 }
        let published = try pollhold.publish("news", "1")
        #expect(published.status == 200)
        let answer = try held.response()
        #expect(answer.ids == [published.json["id"] as? String] && !answer.hasGap)
        // New connections come in as before, and the old one carries on.
        try held.start("GET", "/poll?channel=news&after=\(answer.cursor)")
        try pollhold.waitForWaiting("news") { $0 == 1 }
        try pollhold.publish("news", "2")
        #expect(try held.response().ids.count == 1)
        return reply.json["error"] as? String ?? ""
    }

    @Test func `a file with errors is refused with all of them`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let said = try failure(pollhold) { pollhold in
            try pollhold.write("listen: nonsense\nupstrem: http://127.0.0.1:9\n")
            return try pollhold.upgrade()
        }
        #expect(said.contains("pollhold.yaml:1:9") && said.contains("unknown key upstrem"))
        #expect(pollhold.errors.wait { $0.contains("the upgrade has failed, and this process goes on") })
        let figures = try pollhold.control("GET", "/status").json
        #expect(figures["failed_upgrades"] as? Int == 1)
        // The next one may well succeed.
        try pollhold.write(PollTests.configuration())
        #expect(try pollhold.upgrade().status == 200)
    }

    @Test func `a listener that can't be bound is named`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let taken = try BoundSocket(.ipv4)
        let said = try failure(pollhold) { pollhold in
            try pollhold.write(
                PollTests.configuration().replacing(
                    "listen: 127.0.0.1:0", with: "listen: [127.0.0.1:0, \"\(taken.name)\"]"
                ).replacing("{ socket: SOCKET }", with: "{ socket: SOCKET, mode: \"0600\" }"))
            return try pollhold.upgrade()
        }
        #expect(said.contains("can't listen on \(taken.name)"))
        var status = stat()
        #expect(stat(pollhold.socketPath, &status) == 0 && status.st_mode & 0o777 == 0o660)
    }

    /// It fails behind the point at which the old process has closed its own store.
    @Test func `a pool that can't be opened leaves the old process with its own`() throws {
        let pool = "pool: { store: DIRECTORY/pool }"
        let pollhold = try PollholdProcess(PollTests.configuration(more: pool))
        try "x".write(toFile: pollhold.directory.path + "/file", atomically: true, encoding: .utf8)
        for _ in 0..<2 {
            let said = try failure(pollhold) { pollhold in
                try pollhold.write(PollTests.configuration(more: "pool: { store: DIRECTORY/file }"))
                return try pollhold.upgrade()
            }
            #expect(said.contains("/file"), "\(said)")
        }
        // What was published since is in the file.
        try pollhold.write(PollTests.configuration(more: pool))
        let before = try TestClient(port: pollhold.port).request("GET", "/poll?channel=news").ids
        #expect(before.count == 4)
        #expect(try pollhold.upgrade().status == 200)
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=news").ids == before)
    }

    @Test(arguments: ["file", "nothing", "empty", "other"])
    func `a pool that the old process can't open again either is not written to until it can be`(
        place: String
    ) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        mkdir(path + "/real", 0o700)
        mkdir(path + "/empty", 0o700)
        try "x".write(toFile: path + "/file", atomically: true, encoding: .utf8)
        if place == "other" {
            let other = try PollholdProcess(PollTests.configuration(more: "pool: { store: \(path)/other }"))
            try other.publish("room.1", "\"of another pool\"")
            other.signal(SIGTERM)
            #expect(other.waitForExit() == 0)
        }
        // In one step: there is no moment at which there is no pool, and a new one could be made.
        func lead(to name: String) throws {
            try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: name)
            guard rename(path + "/link", path + "/pool") == 0 else { throw TestFailure("rename: \(errno)") }
        }
        try lead(to: "real")
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "pool: { store: DIRECTORY/pool }"), in: directory)
        let first = try pollhold.publish("room.1", "1").json["id"] as? String
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        try lead(to: place)
        #expect(try pollhold.upgrade().status == 500)
        #expect(pollhold.errors.wait { $0.contains("the pool can't be opened again, and publishes are refused") })
        let refused = try pollhold.publish("news", "2")
        #expect(refused.status == 503)
        #expect(!held.hasInput)
        #expect(try TestClient(port: pollhold.port).request("GET", "/poll?channel=room.1").ids == [first])
        try lead(to: "real")
        #expect(pollhold.errors.wait { $0.contains("the pool can be written again") })
        let id = try pollhold.publish("news", "3").json["id"] as? String
        #expect(try held.response().ids == [id])
        #expect(try pollhold.upgrade().status == 200)
        let client = try TestClient(port: pollhold.port)
        #expect(try client.request("GET", "/poll?channel=news&channel=room.1").ids == [first, id])
        #expect(!FileManager.default.fileExists(atPath: path + "/nothing"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: path + "/empty") == [])
    }

    @Test func `sockets that were bound for nothing leave no file behind`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        try "x".write(toFile: pollhold.directory.path + "/file", atomically: true, encoding: .utf8)
        _ = try failure(pollhold) { pollhold in
            try pollhold.write(
                PollTests.configuration(more: "pool: { store: DIRECTORY/file }").replacing(
                    "listen: 127.0.0.1:0", with: "listen: [127.0.0.1:0, \"unix:DIRECTORY/b\"]"
                ).replacing("{ socket: SOCKET }", with: "{ socket: DIRECTORY/other }"))
            return try pollhold.upgrade()
        }
        for name in ["b", "other"] {
            #expect(!FileManager.default.fileExists(atPath: pollhold.directory.path + "/" + name), "\(name)")
        }
    }

    @Test func `a link to the program leads to the version that it names by then`() throws {
        let directory = try TemporaryDirectory()
        for version in ["one", "two"] {
            try ProgramFile.copy(to: directory.path + "/" + version)
        }
        let link = directory.path + "/pollhold"
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "one")
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/bin/sh", "-c", "shift; exec \(link) \"$@\"", "sh"])
        try FileManager.default.removeItem(atPath: link)
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "two")
        #expect(try pollhold.upgrade().status == 200)
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pollhold.pid)/exe")
        #expect(program.hasSuffix("/two"), "\(program)")
    }

    @Test func `a program that is no more, or is another one, is told of`() throws {
        let directory = try TemporaryDirectory()
        let program = directory.path + "/pollhold"
        try ProgramFile.copy(to: program)
        let pollhold = try PollholdProcess(
            PollTests.configuration(), launcher: ["/bin/sh", "-c", "shift; exec \(program) \"$@\"", "sh"])
        try FileManager.default.removeItem(atPath: program)
        #expect(try failure(pollhold) { try $0.upgrade() }.contains("\(program) could not be started: posix_spawn"))
        func install(_ script: String) throws {
            try ProgramFile.write("#!/bin/sh\n" + script, to: program)
        }
        try install("exit 3\n")
        #expect(try failure(pollhold) { try $0.upgrade() }.contains("it ended, with status 3"))
        try install("printf 'nonsense, which is no record' >&3; exec sleep 60\n")
        #expect(try failure(pollhold) { try $0.upgrade() }.contains("not understood"))
        // It says that it is ready, and ends while it is given everything: `prepared` is a record of two bytes.
        try install("printf '\\002\\000\\000\\000\\000\\010\\000' >&3; head -c 40 <&3 >/dev/null; exit 4\n")
        #expect(try failure(pollhold) { try $0.upgrade() }.contains("it ended, with status 4"))
        try FileManager.default.removeItem(atPath: program)
        try ProgramFile.copy(to: program)
        #expect(try pollhold.upgrade().status == 200)
    }

    @Test func `one at a time, and none of a process that ends`() throws {
        let directory = try TemporaryDirectory()
        let program = directory.path + "/pollhold"
        try ProgramFile.copy(to: program)
        let pollhold = try PollholdProcess(
            PollTests.configuration(more: "timeouts: { drain_notice: 600s }"),
            launcher: ["/bin/sh", "-c", "shift; exec \(program) \"$@\"", "sh"])
        try FileManager.default.removeItem(atPath: program)
        try ProgramFile.write("#!/bin/sh\nexec sleep 600\n", to: program)
        let waiting = try TestClient(unix: pollhold.socketPath)
        try waiting.start("POST", "/upgrade")
        #expect(pollhold.errors.wait { $0.contains("another process is started") })
        #expect(try pollhold.upgrade().status == 409)
        #expect(
            try pollhold.control("POST", "/reload").json["error"] as? String
                == "an upgrade is under way; nothing is reloaded")
        let held = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        // A signal to end ends the attempt, and then this process as ever.
        pollhold.signal(SIGTERM)
        #expect(try waiting.response().json["error"] as? String == "this process is asked to end")
        #expect(try pollhold.upgrade().status == 409)
        pollhold.signal(SIGTERM)
        #expect(try held.response().status == 200)
        #expect(pollhold.waitForExit() == 0)
    }

    @Test func `the command says what has come of it`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let done = try Command.run(["upgrade", "--socket", pollhold.socketPath])
        #expect(done.status == 0 && done.output.contains("upgraded: process "), "\(done.output) \(done.errors)")
        let number = try #require(done.output.split(separator: " ").compactMap { Int32($0) }.first)
        pollhold.note(successor: number)
        try pollhold.write("nonsense: true\n")
        let refused = try Command.run(["upgrade", "--socket", pollhold.socketPath])
        #expect(refused.status == 1 && refused.errors.contains("unknown key nonsense"), "\(refused.errors)")
    }

    @Test func `a variable that no process of the program has set is an error of the start`() throws {
        let said = try ActivationTests.refusal(
            PollTests.configuration(), given: [], launcher: ["/usr/bin/env", "POLLHOLD_PREDECESSOR=77"])
        #expect(said.contains("POLLHOLD_PREDECESSOR is 77; expected the number of an open descriptor"))
    }
}
