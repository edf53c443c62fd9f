/// A configuration's text: a value, or errors with places in the text; the same each time.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling

enum ConfigurationLaws {
    static let environment = ["HOST": "127.0.0.1", "TRICK": "root, workers: 3"]

    static func check(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else { return }
        let first = load(text)
        let second = load(text)
        switch (first, second) {
        case (.success(let configuration), .success):
            use(configuration)
        case (.failure(let errors), .failure(let again)):
            try require(errors.description == again.description, "two readings: \(errors)\n\(again)")
            try require(!errors.errors.isEmpty, "refused without an error")
            let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }.count
            for error in errors.errors {
                try require((0...lines + 1).contains(error.line), "line \(error.line) of \(lines): \(error)")
                try require(error.line == 0 || error.column >= 1, "column \(error.column): \(error)")
                try require(!error.found.isEmpty && !error.expected.isEmpty, "an error that says nothing: \(error)")
            }
        default: throw BrokenLaw(description: "accepted once and refused once")
        }
    }

    private static func load(_ text: String) -> Result<Configuration, ConfigurationErrors> {
        do throws(ConfigurationErrors) {
            return .success(try Configuration.load(text: text, file: "fuzz.yaml", environment: environment))
        } catch {
            return .failure(error)
        }
    }

    /// Whatever was accepted can be served.
    private static func use(_ configuration: Configuration) {
        let routes = RouteTable(configuration, epoch: Epoch(random: 1))
        let rules = RuleTable(configuration)
        for text in [
            "GET /poll?channel=a&room=1&after=now HTTP/1.1\r\nHost: a\r\nCookie: sid=1\r\n\r\n",
            "POST /a/b/c HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345", "PURGE / HTTP/1.1\r\nHost: a\r\n\r\n",
        ] {
            let head = ReadRequests.scratch(text)
            let client = ClientAddress.network(IPAddress(ipv4: 0xC000_0201))
            _ = routes.decide(head, client: client)
            _ = rules.answered(head, client: client)
            _ = rules.watcher(head, client: client)
        }
    }
}
