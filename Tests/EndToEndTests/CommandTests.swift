import Foundation
import Testing

/// A run of the program that ends by itself.
struct Command {
    let status: Int32
    let output: String
    let errors: String

    /// - Parameter seconds: after which it is killed.
    static func run(
        _ arguments: [String], input: String = "", program: String = PollholdProcess.binary,
        environment: [String: String] = [:], seconds: Double = 60
    ) throws -> Command {
        let process = Process()
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (inputPipe, outputPipe, errorPipe) = (Pipe(), Pipe(), Pipe())
        process.standardInput = inputPipe
        process.standardOutput = outputPipe
        process.standardError = errorPipe
        let (output, errors) = (
            LineCollector(outputPipe.fileHandleForReading), LineCollector(errorPipe.fileHandleForReading)
        )
        try process.run()
        try? outputPipe.fileHandleForWriting.close()
        try? errorPipe.fileHandleForWriting.close()
        try? inputPipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try? inputPipe.fileHandleForWriting.close()
        let end = Date().addingTimeInterval(seconds)
        while process.isRunning, Date() < end { poll(nil, 0, 5) }
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
        output.waitForEnd()
        errors.waitForEnd()
        return Command(status: process.terminationStatus, output: output.text, errors: errors.text)
    }
}

struct CommandTests {
    @Test func `publish takes data from the argument, from standard input and from lines`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let socket = ["--socket", pollhold.socketPath]
        #expect(try Command.run(["publish"] + socket + ["news", "{\"a\":1}"]).output == "id 1, released 0\n")
        #expect(try Command.run(["publish"] + socket + ["news", "-"], input: "from input").status == 0)
        #expect(
            try Command.run(["publish", "--config", pollhold.configurationPath, "news", "--text", "5", "-q"]).output
                == "")
        let lines = try Command.run(
            ["publish"] + socket + ["--lines"],
            input: "{\"channel\":\"news\",\"data\":4}\n{\"channel\":\"n s\",\"data\":1}\n")
        #expect(lines.status == 1)
        #expect(lines.output == "id 4, released 0\n")
        #expect(lines.errors.contains("line 2: the channel name is not valid"))
        let bad = try Command.run(["publish"] + socket + ["news", "--json", "{"])
        #expect(bad.status == 1)
        #expect(bad.errors.contains("the JSON is not valid"))
        let again = try Command.run(
            ["publish", "--key", "k", "news", "x"], environment: ["POLLHOLD_SOCKET": pollhold.socketPath])
        let twice = try Command.run(
            ["publish", "--key", "k", "news", "x"], environment: ["POLLHOLD_SOCKET": pollhold.socketPath])
        #expect(again.output == twice.output)
        let answer = try TestClient(port: pollhold.port).request("GET", "/poll?channel=news")
        #expect(answer.messages.map { "\($0["data"] ?? "")" }.suffix(4) == ["from input", "5", "4", "x"])
    }

    @Test func `poll prints what is there and what comes, through the socket or a URL`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        try pollhold.publish("news", "{\"a\":1}")
        try pollhold.publish("room.1", "\"two\"")
        let both = try Command.run(["poll", "--socket", pollhold.socketPath, "news", "room.1", "--count", "2"])
        #expect(both.output == "{\"a\":1}\n\"two\"\n")
        let url = try Command.run([
            "poll", "--url", "http://127.0.0.1:\(pollhold.port)/poll", "news", "--count", "1", "--json",
        ])
        #expect(url.output == "{\"id\":\"1\",\"channel\":\"news\",\"data\":{\"a\":1}}\n")
        let refused = try Command.run(["poll", "--url", "http://127.0.0.1:\(pollhold.port)/poll", "secret"])
        #expect(refused.status == 1)
        #expect(refused.errors.contains("may not be read"))
        let gap = try Command.run([
            "poll", "--socket", pollhold.socketPath, "news", "--after", "other-1", "--count", "1",
        ])
        #expect(gap.errors.contains("gap"))
    }

    @Test func `status shows figures, and a socket without a daemon is said to be one`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let status = try Command.run(["status", "--socket", pollhold.socketPath])
        #expect(status.output.contains("pool.messages"))
        let json = try Command.run(["status", "--json", "--socket", pollhold.socketPath])
        #expect(
            (try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])?["pid"] as? Int
                == Int(pollhold.pid))
        let none = try Command.run(["status", "--socket", pollhold.directory.path + "/none.sock"])
        #expect(none.status == 1)
        #expect(none.errors.contains("none.sock: No such file or directory"))
    }

    @Test func `check accepts a good file and names every error of a bad one`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/x.yaml"
        try "listen: 127.0.0.1:0\nupstream: http://127.0.0.1:1\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(try Command.run(["check", path]).output == "\(path): ok\n")
        try "lisen: 1\nupstream: ftp://x\n".write(toFile: path, atomically: true, encoding: .utf8)
        let bad = try Command.run(["check", path])
        #expect(bad.status == 1)
        #expect(bad.errors.contains("\(path):1:1: unknown key lisen; did you mean listen?\n    lisen: 1\n    ^"))
        #expect(bad.errors.contains("\(path):2:11:"))
        #expect(try Command.run(["check", directory.path + "/none"]).errors.contains("No such file"))
    }

    static let explained = """
        upstream: http://127.0.0.1:8000
        routes:
          - path: /poll
            hold: { channels: "{query.channel}", allow: ["room.*"], timeout: 45s }
          - path: /updates/{room}
            recheck: { channels: "room.{path.room}", nothing_new: { body: "[]" } }
        publish:
          - { when: POST /send, channels: "room.{form.room}" }
          - { when: "POST /**", channels: "user.{cookie.uid}" }
          - { when: PURGE /**, channels: pages, from: [127.0.0.1] }
        """

    @Test(arguments: [
        (["GET /poll?channel=room.1"], "route 1, /poll: hold\n  a poll on room.1, held for up to 45s\n"),
        (["GET /poll?channel=secret"], "route 1, /poll: hold\n  answered with 403 (channel)"),
        (["GET /updates/7"], "route 2, /updates/{room}: recheck\n"),
        (["GET /updates/7"], " at room.7, for up to 1m30s\n"),
        (["GET /else"], "no route\n  passed on to http://127.0.0.1:8000\n"),
        (
            ["POST /send", "--field", "Cookie: uid=5", "--data", "room=9"],
            "publish rule 1: publishes to room.9 when the application has answered\npublish rule 2: publishes to user.5 "
        ),
        (["POST /send"], "publish rule 1: does nothing: {form.room} is not there\n"),
        (["PURGE /a"], "a publish rule answers it with 200 and publishes to pages\n"),
        (["PURGE /a", "--client", "10.0.0.1"], "does not let this client: answered with 403\n"),
    ]) func `check explains what becomes of a request`(arguments: [String], expected: String) throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/x.yaml"
        try Self.explained.write(toFile: path, atomically: true, encoding: .utf8)
        let result = try Command.run(["check", path, "--explain"] + arguments)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains(expected), "\(result.output)")
    }

    @Test func `what is no request is not explained`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/x.yaml"
        try Self.explained.write(toFile: path, atomically: true, encoding: .utf8)
        for arguments in [["GET"], ["GET /a b"], ["GET /", "--client", "nobody"], ["GET /", "--field", "a b"]] {
            let result = try Command.run(["check", path, "--explain"] + arguments)
            #expect(result.status == 1)
            #expect(result.errors.hasPrefix("pollhold: "))
        }
    }

    @Test func `every example configuration is right`() throws {
        let examples = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../examples")
            .standardized
        let names = try FileManager.default.contentsOfDirectory(atPath: examples.path).filter { $0.hasSuffix(".yaml") }
        #expect(names.count >= 3)
        for name in names {
            let environment = [
                "POLLHOLD_LISTEN": "127.0.0.1:0", "CHAT_UPSTREAM": "http://127.0.0.1:9",
                "POLLHOLD_SOCKET": "/tmp/none.sock",
            ]
            let result = try Command.run(["check", examples.appending(path: name).path], environment: environment)
            #expect(result.status == 0, "\(name): \(result.errors)")
        }
    }

    @Test(arguments: ["sh", "py", "pl", "js", "php", "rb"])
    func `the example publishers publish`(language: String) throws {
        let interpreters = ["sh": "sh", "py": "python3", "pl": "perl", "js": "node", "php": "php", "rb": "ruby"]
        guard let interpreter = interpreters[language],
            let found = try? Command.run(["-c", "command -v \(interpreter)"], program: "/bin/sh"), found.status == 0
        else {
            print("examples: \(language): its interpreter is not installed; passed over")
            return
        }
        if language == "sh", try Command.run(["-c", "command -v curl"], program: "/bin/sh").status != 0 {
            print("examples: sh: curl is not installed; passed over")
            return
        }
        let script = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../examples/publishers/publish.\(language)"
        ).standardized.path
        let pollhold = try PollholdProcess(PollTests.configuration())
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        let program = found.output.trimmingCharacters(in: .whitespacesAndNewlines)
        let result = try Command.run([script, pollhold.socketPath, "news", "say \"hé\"\n"], program: program)
        #expect(result.status == 0, "\(result.errors)")
        #expect(try poll.response().messages.first?["data"] as? String == "say \"hé\"\n")
        let failed = try Command.run([script, pollhold.socketPath, "bad name", "x"], program: program)
        #expect(failed.status != 0)
    }
}
