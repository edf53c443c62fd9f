/// `pollhold reload`: the daemon reads its configuration again.
import ArgumentParser
import JSONText

struct Reload: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let the daemon read its configuration again.",
        discussion: "Ends with 0 once all of it serves by the new one; else says what is wrong, and nothing changes.")

    @OptionGroup var target: SocketOption

    func run() throws {
        try reportingClientErrors {
            let response = try target.connect().request("POST", "/reload")
            guard response.status != 200 else { return print("reloaded") }
            let reason = JSONPointer("/error")?.follow(in: response.body.span)?.unescaped(in: response.body.span)
            throw ClientError(description: String(decoding: reason ?? response.body, as: UTF8.self))
        }
    }
}
