/// `pollhold poll`: follows channels in the terminal, as a page would.
import ArgumentParser
import ByteText
import JSONText

struct Poll: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Follow channels: print each message's data on a line of its own.",
        discussion: """
            Polls the control socket, which may read every channel, or a hold route with --url. A gap is told on
            standard error. Ends when interrupted, or after --count messages.
            """)

    @OptionGroup var target: SocketOption

    @Option(help: "A hold route, e.g. http://127.0.0.1:8080/poll.")
    var url: String?

    @Argument(help: "The channels.")
    var channels: [String]

    @Option(help: "Begin behind this cursor.")
    var after: String?

    @Flag(help: "Begin with what comes from now on, instead of what is in the pool.")
    var now = false

    @Option(help: "End after this many messages.")
    var count: Int?

    @Flag(help: "Print whole messages, with id and channel.")
    var json = false

    func run() throws {
        try reportingClientErrors {
            let (client, path) = try connect()
            var cursor = after ?? (now ? "now" : "")
            var left = count ?? Int.max
            while left > 0 {
                let names = channels.map { "channel=\(percentEncoded($0))" }.joined(separator: "&")
                let response = try client.request("GET", "\(path)?\(names)&after=\(percentEncoded(cursor))")
                guard response.status == 200 else {
                    throw ClientError(description: String(decoding: response.body, as: UTF8.self))
                }
                let before = cursor
                show(response.body, &cursor, &left)
                guard cursor != before || !cursor.isEmpty else {
                    throw ClientError(description: "the answer has no cursor; is this a hold route in the json format?")
                }
            }
        }
    }

    private func connect() throws -> (ControlClient, path: String) {
        guard let url else { return (try target.connect(), "/poll") }
        guard url.hasPrefix("http://") else { throw ClientError(description: "\(url): expected http://host:port/path") }
        let rest = url.dropFirst(7)
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let parts = rest[..<slash].split(separator: ":")
        guard let host = parts.first, let port = parts.count == 2 ? UInt16(parts[1]) : 80 else {
            throw ClientError(description: "\(url): expected http://host:port/path")
        }
        return (
            try ControlClient(.network(host: String(host), port: port)),
            slash == rest.endIndex ? "/" : String(rest[slash...])
        )
    }

    /// Prints an answer's messages and takes its cursor.
    private func show(_ body: [UInt8], _ cursor: inout String, _ left: inout Int) {
        guard let root = JSONSlice.root(of: body.span) else { return }
        var members = JSONMembers(of: root)
        while let member = members.next(in: body.span) {
            if member.keyEquals("cursor", in: body.span), let text = member.value.unescaped(in: body.span) {
                cursor = String(decoding: text, as: UTF8.self)
            } else if member.keyEquals("gap", in: body.span), member.value.kind == .true {
                printError("gap: messages before these are gone")
            } else if member.keyEquals("messages", in: body.span) {
                var elements = JSONElements(of: member.value)
                while left > 0, let message = elements.next(in: body.span) {
                    printAtOnce(text(of: message, in: body))
                    left -= 1
                }
            }
        }
    }

    private func text(of message: JSONSlice, in body: [UInt8]) -> String {
        if json { return String(decoding: body[message.range], as: UTF8.self) }
        var members = JSONMembers(of: message)
        while let member = members.next(in: body.span) {
            if member.keyEquals("data", in: body.span) {
                return String(decoding: body[member.value.range], as: UTF8.self)
            }
        }
        return ""
    }
}
