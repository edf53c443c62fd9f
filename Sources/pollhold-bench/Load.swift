/// `pollhold-bench --url … --polls N`: holds polls against any server and says what became of them.
import ArgumentParser
import Foundation
import Histogram
import Reactor

struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Hold polls against a server and say what became of them.",
        discussion: """
            Each client polls again as soon as it is answered. With --control and --channel, messages are published \
            to Pollhold's control socket, and the delay of each delivery is measured.
            """)

    @Option(help: "What to poll, e.g. http://127.0.0.1:8080/poll?channel=news.") var url: String
    @Option(help: "Polls to hold.") var polls = 1000
    @Option(help: "Seconds.") var seconds = 10.0
    @Option(help: "Connections opened in five milliseconds, at most.") var pace = 50
    @Option(help: "Pollhold's control socket.") var control: String?
    @Option(help: "The channel to publish to, once a second.") var channel: String?
    @Option(help: "Bytes of each message.") var bytes = 100

    func validate() throws {
        guard polls > 0, pace > 0, seconds > 0 else { throw ValidationError("Numbers are greater than 0.") }
        guard (control == nil) == (channel == nil) else {
            throw ValidationError("--control and --channel go together.")
        }
    }

    func run() throws {
        let (address, request) = try target()
        let room = raiseDescriptorLimit() - 50
        guard polls <= room else {
            throw BenchError("The limit on open files leaves room for \(room) polls; ulimit -Hn raises it.")
        }
        let loop = try BenchLoop()
        let crowd = Crowd(loop, address, request: request)
        crowd.pollsAgainAtOnce = true
        let publisher = try control.map { try PublishClient(loop, .unix(path: $0), .lines) }
        crowd.expect()
        try crowd.open(polls, pace: pace)
        print("\(polls) connections, \(crowd.answers) answers, \(crowd.lost) lost while they were opened")
        let end = EventLoop.monotonicNanoseconds() + Int64(seconds * 1e9)
        while EventLoop.monotonicNanoseconds() < end {
            crowd.expect()
            if let publisher, let channel {
                let data = String(repeating: "x", count: bytes)
                publisher.publish(PeerKind.pollhold.publish(channel: channel, data: data))
            }
            loop.pause(min(1, Double(end - EventLoop.monotonicNanoseconds()) / 1e9))
            report(crowd)
        }
        crowd.close()
        publisher?.close()
    }

    private func report(_ crowd: Crowd) {
        let held = crowd.clients.count - crowd.lost
        var line = "held \(held), answers \(crowd.answers), lost \(crowd.lost), not 200 \(crowd.failures)"
        if control != nil, crowd.answers > 0 {
            let figures = [50, 99, 100].map { Report.text(Double(crowd.delays.valueAtPercentile($0)) / 1e6, 2) }
            line += ", delivered after \(figures[0]) ms (median), \(figures[1]) (p99), \(figures[2]) (last)"
        }
        print(line)
    }

    /// Where to connect and what to send.
    private func target() throws -> (SocketAddress, [UInt8]) {
        guard let parts = URLComponents(string: url), parts.scheme == "http", let host = parts.host else {
            throw BenchError("\(url): expected a URL such as http://127.0.0.1:8080/poll?channel=news")
        }
        let port = UInt16(clamping: parts.port ?? 80)
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        let query = parts.percentEncodedQuery.map { "?\($0)" } ?? ""
        let fields = "Host: \(host):\(port)\r\nUser-Agent: pollhold-bench\r\n"
        guard let number = Self.number(of: host), let address = SocketAddress(numericHost: number, port: port) else {
            throw BenchError("\(host): there is no such host")
        }
        return (address, Array("GET \(path)\(query) HTTP/1.1\r\n\(fields)\r\n".utf8))
    }

    /// A host's first address in numbers. It blocks, before anything is measured.
    private static func number(of host: String) -> String? {
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(host, nil, nil, &list) == 0, let first = unsafe list else { return nil }
        defer { unsafe freeaddrinfo(list) }
        var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let code = unsafe getnameinfo(
            first.pointee.ai_addr, first.pointee.ai_addrlen, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST)
        return code == 0 ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
    }
}
