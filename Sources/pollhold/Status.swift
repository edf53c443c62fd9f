/// `pollhold status`: what the daemon is doing.
import ArgumentParser
import JSONText

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Show what the daemon is doing.")

    @OptionGroup var target: SocketOption

    @Flag(help: "Print the JSON as the daemon gives it.")
    var json = false

    func run() throws {
        try reportingClientErrors {
            let response = try target.connect().request("GET", "/status")
            let body = response.body
            guard response.status == 200, let root = JSONSlice.root(of: body.span) else {
                throw ClientError(description: String(decoding: body, as: UTF8.self))
            }
            if json {
                print(String(decoding: body, as: UTF8.self), terminator: "")
            } else {
                show(root, in: body, prefix: "")
            }
        }
    }

    private func show(_ object: JSONSlice, in body: [UInt8], prefix: String) {
        var members = JSONMembers(of: object)
        while let member = members.next(in: body.span) {
            let name = prefix + String(decoding: member.key.unescaped(in: body.span) ?? [], as: UTF8.self)
            if member.value.kind == .object {
                show(member.value, in: body, prefix: name + ".")
            } else {
                let value = member.value.scalarText(in: body.span).map { String(decoding: $0, as: UTF8.self) } ?? "-"
                print(name + String(repeating: " ", count: max(1, 24 - name.count)) + value)
            }
        }
    }
}
