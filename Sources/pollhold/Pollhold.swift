/// The program: one command with its subcommands.
import ArgumentParser
import Daemon

@main
struct Pollhold: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pollhold",
        abstract: "A reverse proxy that holds an app's polls and answers them the moment there is something to tell.",
        version: Version.text,
        subcommands: [
            Serve.self, Check.self, Publish.self, Poll.self, Status.self, Top.self, Reload.self, Upgrade.self,
        ])
}
