/// Which of the sockets that a service manager has bound is for which listener of the configuration.
///
/// Each socket has to have a listener: one that nobody accepts from would take connections and never answer them.
package import ConfigFile

package struct AdoptionPlan: Equatable, Sendable {
    /// What a descriptor turned out to be.
    package enum Form: Equatable, Sendable {
        case listening(ListenPlace)
        case notOpen
        case noSocket
        /// Neither IPv4 nor IPv6 nor Unix.
        case foreignFamily
        /// It has packets or messages, and no connections.
        case noStream
        /// A connection, or a socket that was bound alone.
        case notListening
    }

    package struct Given: Equatable, Sendable {
        let number: Int32
        let name: String?
        let form: Form

        package init(number: Int32, name: String?, form: Form) {
            self.number = number
            self.name = name
            self.form = form
        }
    }

    /// Descriptors by the place where they listen. More than one where the manager has bound a place several times
    /// and the system spreads connections over them (SO_REUSEPORT).
    package private(set) var numbers: [ListenPlace: [Int32]] = [:]

    /// - Throws: all that is wrong at once.
    package init(_ given: [Given], for configuration: Configuration) throws(ActivationError) {
        let wanted = Self.wanted(configuration)
        var problems: [String] = []
        for descriptor in given {
            if let place = descriptor.place, let listener = wanted.first(where: { $0.place == place }) {
                numbers[place, default: []].append(descriptor.number)
                if let first = numbers[place]?.first, first != descriptor.number, !listener.takesSeveral {
                    problems.append(
                        "\(descriptor): \(place), where descriptor \(first) listens too; "
                            + "expected one socket for \(listener.key)")
                }
            } else {
                problems.append("\(descriptor): \(descriptor.found); expected \(Self.expectation(wanted))")
            }
        }
        guard problems.isEmpty else { throw ActivationError(problems: problems) }
    }

    private struct Listener {
        let place: ListenPlace
        /// Where it stands in the configuration.
        let key: String
        var takesSeveral: Bool { key == "listen" }
    }

    private static func wanted(_ configuration: Configuration) -> [Listener] {
        var wanted = configuration.listen.map { ($0.address, "listen") }
        if let control = configuration.control { wanted.append((.unix(path: control.socket), "control.socket")) }
        if let admin = configuration.admin { wanted.append((admin, "admin.listen")) }
        return wanted.compactMap { address, key in ListenPlace(address).map { Listener(place: $0, key: key) } }
    }

    private static func expectation(_ wanted: [Listener]) -> String {
        "a socket that listens where the configuration does: "
            + wanted.map { "\($0.place) (\($0.key))" }.joined(separator: ", ")
    }
}

extension AdoptionPlan.Given: CustomStringConvertible {
    fileprivate var place: ListenPlace? { if case .listening(let place) = form { place } else { nil } }

    package var description: String {
        "descriptor \(number)\(name.map { " (\($0))" } ?? "") of the service manager"
    }

    fileprivate var found: String {
        switch form {
        case .listening(let place): "\(place)"
        case .notOpen: "it is not open"
        case .noSocket: "it is no socket"
        case .foreignFamily: "it is neither a socket of TCP nor a Unix socket"
        case .noStream: "a socket for datagrams or packets"
        case .notListening: "a connection, or a socket that does not listen"
        }
    }
}
