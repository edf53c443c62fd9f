/// `pollhold top`: what the daemon does, again and again, in a terminal.
import ArgumentParser
import Gateway
import Glibc
import Polling

struct Top: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch what the daemon does.",
        discussion: """
            Shows polls and connections, messages a second and their delays, the app's servers, recheck routes, and the
            channels on which most polls are held. q or ctrl-C ends it, space asks at once. With --once it watches for
            one interval, prints one view and ends.
            """)

    @OptionGroup var target: SocketOption

    @Option(name: .shortAndLong, help: "Seconds between two views.")
    var interval = 2.0

    @Flag(help: "Print one view and end.")
    var once = false

    func validate() throws {
        guard interval >= 0.1, interval <= 3600 else {
            throw ValidationError("--interval: expected 0.1 to 3600 seconds")
        }
    }

    func run() throws {
        try reportingClientErrors {
            let path = try target.path()
            if once { return try printOnce(path) }
            guard let terminal = Terminal() else {
                throw ClientError(description: "standard input and output are no terminal; --once prints one view")
            }
            defer { terminal.restore() }
            watch(path, terminal)
        }
    }

    private func printOnce(_ path: String) throws {
        let client = try ControlClient(.socket(path: path))
        let before = try read(client)
        usleep(UInt32(interval * 1_000_000))
        let screen = TopScreen(before: before, now: try read(client))
        // Not for a window, so as much as there is; 10 channels are enough to see which they are.
        for line in screen.lines(columns: 500, rows: 1000) { print(line) }
    }

    private func watch(_ path: String, _ terminal: Terminal) {
        var client: ControlClient?
        var (before, now): (DaemonReading?, DaemonReading?)
        var trouble: String?
        while true {
            do {
                let connected = try client ?? ControlClient(.socket(path: path))
                client = connected
                let fresh = try read(connected)
                (before, now, trouble) = (now ?? fresh, fresh, nil)
            } catch {
                // A daemon that is started anew is waited for.
                (client, before, now, trouble) = (nil, nil, nil, "\(error)")
            }
            func show() {
                guard let before, let now else {
                    return terminal.show(["Pollhold can't be asked: \(trouble ?? "")"])
                }
                let size = terminal.size
                terminal.show(TopScreen(before: before, now: now).lines(columns: size.columns, rows: size.rows))
            }
            show()
            if terminal.wait(seconds: interval, resized: show) == .ends { return }
        }
    }

    private func read(_ client: ControlClient) throws(ClientError) -> DaemonReading {
        let bodies = [
            try client.request("GET", "/status"), try client.request("GET", "/metrics"),
            try client.request("GET", "/channels?order=waiting&limit=100"),
        ].map { $0.status == 200 ? $0.body : [] }
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        let moment = Moment(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
        guard let reading = DaemonReading(moment: moment, status: bodies[0], metrics: bodies[1], channels: bodies[2])
        else { throw ClientError(description: "the daemon's answers are not those of this version") }
        return reading
    }
}
