/// The process that is to take the place of this one, from its start until it serves, and what it is told behind that.
///
/// It has nothing that this process has not, until it says that it has taken all; so up to there it can be given up at
/// any moment.
import Gateway
import Glibc
import Logging
import Polling
import Reactor

/// What has come of an upgrade.
enum UpgradeResult: Sendable {
    case serves(process: Int32)
    /// The other process did not get to serve.
    case failed(String)
    /// None was started.
    case refused(String)
}

final class Successor {
    enum Stage {
        /// It reads its configuration, binds and opens what it can without what this process has.
        case preparing
        /// Publishers' requests that have begun come to their end.
        case quieting
        /// Workers say what they hand over.
        case freezing
        /// It has everything and has not said that it serves.
        case taking
        case serving
    }

    let child: ChildProcess
    let socket: RecordSocket
    let asker: Asker?
    /// Where it is to have the pool; nil: in memory, or not yet said.
    var store: String?
    var stage = Stage.preparing
    var source: RecordSource?
    var timer: LoopTimer?
    /// Workers that have done what the stage wants.
    var done: Set<Int> = []
    var handed: [Handed] = []

    /// Starts it.
    init(_ launch: Launch, asker: Asker?) throws(SystemError) {
        let (own, other) = try RecordSocket.pair()
        child = try launch.start(handing: other)
        socket = own
        self.asker = asker
    }

    /// Ends it, whatever it does, and waits for that.
    func end() {
        source = nil
        timer = nil
        child.kill()
    }
}

/// How this program was started, so that it can be once more.
struct Launch {
    let path: String
    private let arguments: [String]
    private let environment: [String: String]

    /// To be made at the start: later the file may have another name, and it is not known what was inherited.
    init(environment: [String: String]) {
        InheritedDescriptor.closeAllOnExec()
        path = ChildProcess.ownPath(calledAs: CommandLine.arguments.first ?? "")
        arguments = CommandLine.arguments.filter { $0 != "--salvage" }
        // What a service manager says to one process alone is not the next one's.
        let personal = GivenDescriptors.variables + ["WATCHDOG_PID", Predecessor.variable]
        self.environment = environment.filter { !personal.contains($0.key) }
    }

    func start(handing descriptor: PassedDescriptor) throws(SystemError) -> ChildProcess {
        var environment = environment
        environment[Predecessor.variable] = "\(ChildProcess.handedNumber)"
        return try ChildProcess(path: path, arguments: arguments, environment: environment, handing: descriptor)
    }
}
