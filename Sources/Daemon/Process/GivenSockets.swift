/// Sockets that the service manager has bound and keeps, so that who comes while no process serves waits for the next.
///
/// All of them are taken at the start, and kept for as long as the process lives: one that a reload no longer wants is
/// not accepted from, and a later reload that wants it again gets it. It couldn't be bound anew, because the manager
/// still listens there; and who came meanwhile is still waiting in it.
import ByteText
import ConfigFile
import Gateway
import Glibc
import Reactor

struct GivenSockets {
    private var sockets: [ListenPlace: [ListeningSocket]] = [:]

    /// None.
    init() {}

    /// Takes what this process was started with. To be called before threads are started and before anything is opened
    /// that is to stay open: its number could be one that a wrong environment claims.
    init(_ environment: [String: String], for configuration: Configuration) throws(Server.StartError) {
        do {
            let given = try GivenDescriptors(environment: environment, processID: Int(getpid()))
            for variable in GivenDescriptors.variables { unsafe _ = unsetenv(variable) }
            let plan = try AdoptionPlan(Self.look(at: given), for: configuration)
            for (place, numbers) in plan.numbers {
                for number in numbers {
                    let socket = try ListeningSocket(adopting: FileDescriptor(owning: number))
                    sockets[place, default: []].append(socket)
                }
            }
        } catch {
            throw Server.StartError(description: "\(error)")
        }
    }

    /// Keeps one that the process before this one was given.
    mutating func keep(_ socket: ListeningSocket) { sockets[ListenPlace(socket.address), default: []].append(socket) }

    /// All of them.
    var all: [ListeningSocket] { sockets.values.flatMap { $0 } }

    subscript(_ address: ListenAddress) -> [ListeningSocket]? {
        ListenPlace(address).flatMap { sockets[$0] }
    }

    private static func look(at given: GivenDescriptors) -> [AdoptionPlan.Given] {
        var found: [AdoptionPlan.Given] = []
        for number in given.numbers {
            let form = AdoptionPlan.Form(InheritedDescriptor(number))
            found.append(AdoptionPlan.Given(number: number, name: given.name(of: number), form: form))
            // A count that is wrong may be a large one.
            if form == .notOpen { break }
        }
        return found
    }
}

extension AdoptionPlan.Form {
    init(_ descriptor: InheritedDescriptor) {
        switch descriptor {
        case .listening(let address): self = .listening(ListenPlace(address))
        case .notOpen: self = .notOpen
        case .noSocket: self = .noSocket
        case .foreignFamily: self = .foreignFamily
        case .noStream: self = .noStream
        case .notListening: self = .notListening
        }
    }
}

extension ListenPlace {
    init(_ address: SocketAddress) {
        switch address {
        case .ipv4(let number, let port): self = .network(IPAddress(ipv4: number), port: port)
        case .ipv6(let high, let low, _, let port): self = .network(IPAddress(high: high, low: low), port: port)
        case .unix(let path): self = .unix(path: path)
        }
    }
}
