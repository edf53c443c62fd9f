import Foundation
import Testing

/// `pollhold top` on a terminal of the test's own, and without one.
struct TopTests {
    /// A pseudo-terminal: the program has one end, the test the other.
    final class PseudoTerminal {
        let own: FileHandle
        let other: FileHandle
        let screen: LineCollector

        init(columns: UInt16, rows: UInt16) throws {
            let number = open("/dev/ptmx", O_RDWR | O_NOCTTY)
            // TIOCGPTN and TIOCSPTLCK, which Swift does not take over from C.
            var (place, lock): (Int32, Int32) = (0, 0)
            guard number >= 0, ioctl(number, 0x8004_5430, &place) == 0, ioctl(number, 0x4004_5431, &lock) == 0 else {
                throw TestFailure("no pseudo-terminal")
            }
            let name = "/dev/pts/\(place)"
            own = FileHandle(fileDescriptor: number, closeOnDealloc: true)
            other = FileHandle(fileDescriptor: open(name, O_RDWR | O_NOCTTY), closeOnDealloc: true)
            screen = LineCollector(own)
            resize(columns: columns, rows: rows)
        }

        func resize(columns: UInt16, rows: UInt16) {
            var size = winsize(ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            _ = ioctl(own.fileDescriptor, UInt(TIOCSWINSZ), &size)
        }

        /// The flags that a raw terminal has changed.
        var flags: [UInt32] {
            var settings = termios()
            tcgetattr(other.fileDescriptor, &settings)
            return [settings.c_iflag, settings.c_oflag, settings.c_lflag, settings.c_cflag]
        }
    }

    static func start(_ pollhold: PollholdProcess, on terminal: PseudoTerminal) throws -> Process {
        let process = Process()
        process.executableURL = URL(filePath: PollholdProcess.binary)
        process.arguments = ["top", "--socket", pollhold.socketPath, "--interval", "0.2"]
        process.standardInput = terminal.other
        process.standardOutput = terminal.other
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    @Test(arguments: ["q", "\u{3}", "SIGTERM"]) func `it shows what goes on, and leaves the terminal as it was`(
        _ way: String
    ) throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let poll = try PollTests().held(pollhold, "/poll?channel=room.1&after=now", on: "room.1")
        let terminal = try PseudoTerminal(columns: 80, rows: 24)
        let before = terminal.flags
        let top = try Self.start(pollhold, on: terminal)
        #expect(terminal.screen.wait { $0.contains("Polls held    1 ") })
        #expect(terminal.screen.wait { $0.contains("room.1  ") })
        #expect(terminal.flags != before)
        if way == "SIGTERM" {
            kill(top.processIdentifier, SIGTERM)
        } else {
            try terminal.own.write(contentsOf: Data(way.utf8))
        }
        top.waitUntilExit()
        #expect(top.terminationStatus == 0)
        #expect(terminal.flags == before)
        #expect(terminal.screen.text.hasPrefix("\u{1B}[?1049h\u{1B}[?25l"))
        try waitUntil("the old screen is back") { terminal.screen.text.hasSuffix("\u{1B}[?25h\u{1B}[?1049l") }
        try pollhold.publish("room.1", "1")
        #expect(try poll.response().ids == ["1"])
    }

    @Test func `it waits for a daemon that is started anew`() throws {
        let directory = try TemporaryDirectory()
        let terminal = try PseudoTerminal(columns: 100, rows: 30)
        let first = try PollholdProcess(PollTests.configuration(), in: directory)
        let top = try Self.start(first, on: terminal)
        #expect(terminal.screen.wait { $0.contains("pid \(first.pid) ") })
        first.signal(SIGTERM)
        #expect(first.waitForExit() == 0)
        #expect(terminal.screen.wait { $0.contains("Pollhold can't be asked") })
        let second = try PollholdProcess(PollTests.configuration(), in: directory)
        #expect(terminal.screen.wait { $0.contains("pid \(second.pid) ") })
        try terminal.own.write(contentsOf: Data("q".utf8))
        top.waitUntilExit()
        #expect(top.terminationStatus == 0)
    }

    @Test func `without a terminal it prints one view`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        let poll = try PollTests().held(pollhold, "/poll?channel=news&after=now", on: "news")
        // Other workers know of it once its own worker's turn has ended.
        try waitUntil("it is counted") { try pollhold.control("GET", "/status").json["held"] as? Int == 1 }
        let once = try Command.run(["top", "--socket", pollhold.socketPath, "--once", "--interval", "0.1"])
        #expect(once.status == 0)
        #expect(once.output.contains("Polls held    1 "))
        #expect(once.output.split(separator: "\n").last?.hasPrefix("news ") == true)
        #expect(!once.output.contains("\u{1B}"))
        let none = try Command.run(["top", "--socket", pollhold.socketPath])
        #expect(none.status == 1)
        #expect(none.errors.contains("--once"))
        poll.closeNow()
    }

    @Test func `the busiest channels come first`() throws {
        let pollhold = try PollholdProcess(PollTests.configuration())
        var polls: [TestClient] = []
        for name in ["room.a", "room.b", "room.b", "news"] {
            polls.append(try PollTests().held(pollhold, "/poll?channel=\(name)&after=now", on: name))
        }
        func list(_ query: String) throws -> [String] {
            let channels = try pollhold.control("GET", "/channels?order=waiting\(query)").json["channels"]
            return (channels as? [[String: Any]] ?? []).map { "\($0["channel"] ?? "") \($0["waiting"] ?? "")" }
        }
        #expect(try list("") == ["room.b 2", "news 1", "room.a 1"])
        #expect(try list("&limit=1") == ["room.b 2"])
        #expect(try list("&prefix=room.&limit=5") == ["room.b 2", "room.a 1"])
        #expect(try pollhold.control("GET", "/channels?order=name").status == 400)
        #expect(try pollhold.control("GET", "/channels?order=waiting&after=a").status == 400)
    }
}
