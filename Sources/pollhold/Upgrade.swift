/// `pollhold upgrade`: a new process of the installed program takes the daemon's place.
import ArgumentParser
import JSONText

struct Upgrade: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Let a new process of the installed program take the daemon's place.",
        discussion: """
            The new process gets the listeners, the pool and the connections that wait, held polls among them. \
            Ends with 0 once it serves; else says why it does not, and the daemon goes on.
            """)

    @OptionGroup var target: SocketOption

    func run() throws {
        try reportingClientErrors {
            let response = try target.connect().request("POST", "/upgrade")
            func member(_ name: String) -> [UInt8]? {
                JSONPointer("/\(name)")?.follow(in: response.body.span)?.unescaped(in: response.body.span)
            }
            guard response.status != 200 else {
                let process = JSONPointer("/process")?.follow(in: response.body.span)
                let number = process.map { String(decoding: response.body[$0.range], as: UTF8.self) } ?? "?"
                return print("upgraded: process \(number) serves")
            }
            throw ClientError(description: String(decoding: member("error") ?? response.body, as: UTF8.self))
        }
    }
}
