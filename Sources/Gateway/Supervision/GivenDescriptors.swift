/// Which descriptors a service manager has given this process, by its environment (sd_listen_fds(3)).
package struct GivenDescriptors: Equatable, Sendable {
    /// The first one's number; the others follow it.
    package static let firstNumber = 3
    /// The variables, which are not for processes that this one starts.
    package static let variables = ["LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES"]

    package var count = 0
    /// As many as descriptors, or none.
    package var names: [String] = []

    /// - Throws: for variables that are meant for this process and can't be what a manager has set.
    package init(environment: [String: String], processID: Int) throws(ActivationError) {
        guard let process = environment["LISTEN_PID"] else { return }
        guard let wanted = Int(process), wanted > 0 else {
            throw ActivationError("LISTEN_PID is \(process); expected the number of a process")
        }
        // They were set for a process that has started this one, which has its descriptors no more.
        guard wanted == processID, let text = environment["LISTEN_FDS"] else { return }
        guard let count = Int(text), (0...(Int(Int32.max) - Self.firstNumber)).contains(count) else {
            throw ActivationError("LISTEN_FDS is \(text); expected the number of descriptors")
        }
        self.count = count
        guard let text = environment["LISTEN_FDNAMES"] else { return }
        names = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard names.count == count else {
            throw ActivationError("LISTEN_FDNAMES is \(text); expected \(count) names with a colon between them")
        }
    }

    package var numbers: Range<Int32> { Int32(Self.firstNumber)..<Int32(Self.firstNumber + count) }

    /// The name of a descriptor, such as the unit's that it comes from.
    package func name(of number: Int32) -> String? {
        names.isEmpty ? nil : names[Int(number) - Self.firstNumber]
    }
}

/// Why what the service manager gives can't be used, a sentence each.
package struct ActivationError: Error, Equatable, CustomStringConvertible {
    package let problems: [String]

    package init(_ problems: String...) { self.problems = problems }

    init(problems: [String]) { self.problems = problems }

    package var description: String { problems.joined(separator: "\n") }
}
