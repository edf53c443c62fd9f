/// `pollhold check`: is a configuration right, and what does it make of a request?
import ArgumentParser
import ByteText
import ConfigFile
import Gateway
import HTTP1

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Read a configuration file and say all that is wrong with it.",
        discussion: """
            Ends with 0 if nothing is, else with 1. With --explain it says which route takes a request, which channels
            come out, and which publish rules are for it; nothing is sent.
            """)

    @Argument(help: "The configuration file.")
    var file: String

    @Option(help: "A request, such as 'POST /chat/send.php?room=5'.")
    var explain: String?

    @Option(name: .shortAndLong, help: "A header field of that request, such as 'Cookie: sid=1'. Repeatable.")
    var field: [String] = []

    @Option(help: "The body of that request.")
    var data = ""

    @Option(help: "The address that it comes from.")
    var client = "127.0.0.1"

    func run() throws {
        let configuration = try loadConfiguration(file)
        guard let explain else { return print("\(file): ok") }
        guard let address = clientAddress else {
            printError("pollhold: --client \(client): expected an address in numbers, or unix")
            throw ExitCode.failure
        }
        var head = RequestHead()
        do throws(HTTPError) {
            try read(explain, into: &head)
        } catch {
            printError("pollhold: this is no request that would be passed on: \(error.reason) (\(error.status))")
            throw ExitCode.failure
        }
        for line in Explanation(configuration).lines(head, client: address, content: Array(data.utf8)) { print(line) }
    }

    private var clientAddress: ClientAddress? {
        if client == "unix" { return .unix }
        let text = Array(client.utf8)
        return IPAddress(text.span).map(ClientAddress.network)
    }

    /// Reads the request as it would come in.
    private func read(_ request: String, into head: inout RequestHead) throws(HTTPError) {
        var text = request.hasSuffix("HTTP/1.1") ? request : request + " HTTP/1.1"
        text += "\r\n"
        for line in field { text += line + "\r\n" }
        if !field.contains(where: { $0.lowercased().hasPrefix("host:") }) { text += "Host: localhost\r\n" }
        if !data.isEmpty { text += "Content-Length: \(data.utf8.count)\r\n" }
        let bytes = Array((text + "\r\n").utf8)
        var reader = RequestReader()
        var position = 0
        _ = try reader.next(bytes.span, &position, head: &head, limits: .requests)
    }
}
