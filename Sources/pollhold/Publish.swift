/// `pollhold publish`: one message, or lines of them, through the control socket.
import ArgumentParser
import ByteText
import Glibc
import JSONText

struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish a message.",
        discussion: """
            Data comes from the argument, or from standard input if it is - or absent. Without --text, --json or
            --content-type it is JSON if it is valid JSON, else text if it is UTF-8, else bytes. With --lines each line
            of standard input is an item such as {"channel":"news","data":{"text":"hi"}}.

            Prints the message's id and how many polls it released. Ends with 0 if everything was published, else 1.
            """)

    @OptionGroup var target: SocketOption

    @Argument(help: "The channel; not with --lines.")
    var channel: String?

    @Argument(help: "The data, or - for standard input.")
    var data: String?

    @Flag(help: "Publish the data as text.")
    var text = false

    @Flag(help: "Publish the data as JSON; it must be valid.")
    var json = false

    @Option(help: "The data's Content-Type.")
    var contentType: String?

    @Option(help: "A repeated publish with the same key returns the first one's id.")
    var key: String?

    @Flag(help: "Items from standard input, one a line.")
    var lines = false

    @Flag(name: .shortAndLong, help: "Print nothing but errors.")
    var quiet = false

    func validate() throws {
        guard lines == (channel == nil) else {
            throw ValidationError(lines ? "--lines takes the channels from the lines" : "a channel is missing")
        }
        guard !text || !json else { throw ValidationError("--text and --json exclude each other") }
    }

    func run() throws {
        try reportingClientErrors {
            if let channel { try publish(to: channel) } else { try publishLines() }
        }
    }

    private func publish(to channel: String) throws {
        let body = data.map { $0 == "-" ? readStandardInput() : Array($0.utf8) } ?? readStandardInput()
        var fields: [(name: String, value: String)] = []
        if let type = contentType ?? (text ? "text/plain; charset=utf-8" : json ? "application/json" : nil) {
            fields.append(("Content-Type", type))
        }
        if let key { fields.append(("Idempotency-Key", key)) }
        let client = try target.connect()
        let response = try client.request(
            "POST", "/publish?channel=\(percentEncoded(channel))", body: body, fields: fields)
        try report(response.body, succeeded: response.status == 200)
    }

    /// Lines go out one by one and each waits for its answer, so that an error names its line.
    private func publishLines() throws {
        let client = try target.connect()
        var number = 0
        var failed = false
        while let line = Swift.readLine(strippingNewline: true) {
            number += 1
            if line.allSatisfy(\.isWhitespace) { continue }
            guard line.first == "{" else {
                printError("line \(number): an item is an object in braces")
                failed = true
                continue
            }
            try client.send(Array((line + "\n").utf8))
            guard let answer = try client.readLine() else {
                throw ClientError(description: "the connection ended behind line \(number)")
            }
            let reply = Reply(answer)
            if let error = reply.error {
                printError("line \(number): \(error)")
                failed = true
            } else if !quiet {
                print(reply.summary)
            }
        }
        if failed { throw ExitCode.failure }
    }

    private func report(_ body: [UInt8], succeeded: Bool) throws {
        let reply = Reply(body)
        guard succeeded else {
            printError("pollhold: \(reply.error ?? String(decoding: body, as: UTF8.self))")
            throw ExitCode.failure
        }
        if !quiet { print(reply.summary) }
    }

    /// What the daemon says to a publish.
    private struct Reply {
        private var id = "?"
        private var waiting = "?"
        var error: String?

        var summary: String { "id \(id), released \(waiting)" }

        init(_ body: [UInt8]) {
            guard let root = JSONSlice.root(of: body.span) else { return }
            var members = JSONMembers(of: root)
            while let member = members.next(in: body.span) {
                let text = member.value.scalarText(in: body.span).map { String(decoding: $0, as: UTF8.self) } ?? ""
                if member.keyEquals("id", in: body.span) { id = text }
                if member.keyEquals("waiting", in: body.span) { waiting = text }
                if member.keyEquals("error", in: body.span) { error = text }
            }
        }
    }
}

/// A query parameter's value.
func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
        if byte.isASCIILetter || byte.isDecimalDigit || "-._~".utf8.contains(byte) {
            encoded.append(Character(Unicode.Scalar(byte)))
        } else {
            encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }
    return encoded
}

func readStandardInput() -> [UInt8] {
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = unsafe part.withUnsafeMutableBytes { unsafe read(STDIN_FILENO, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return bytes }
        bytes.append(contentsOf: part[..<count])
    }
}
