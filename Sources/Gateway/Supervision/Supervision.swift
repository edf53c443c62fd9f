/// What a service manager has told this process by its environment: where it listens for news, and how often it wants
/// to hear that all is well (sd_notify(3), sd_watchdog_enabled(3)).
package struct Supervision: Equatable, Sendable {
    package enum Place: Equatable, Sendable {
        case path(String)
        /// A socket without a file, without the `@` that stands for its NUL.
        case abstract(String)
    }

    /// nil: nobody listens.
    package var place: Place?
    /// Between two signs of life: half of what the manager waits; nil: it wants none.
    package var signInterval: Duration?
    /// What can't be used, in sentences.
    package var problems: [String] = []

    /// - Parameter pathBytesLimit: the longest path of a Unix socket.
    package init(environment: [String: String], processID: Int, pathBytesLimit: Int) {
        if let text = environment["NOTIFY_SOCKET"], !text.isEmpty {
            place = Self.place(text, pathBytesLimit)
            if place == nil {
                problems.append(
                    "NOTIFY_SOCKET is \(text): expected an absolute path or @name of at most \(pathBytesLimit) bytes")
            }
        }
        // The variable names the process that it is meant for; one that was started by that one is not asked.
        if let text = environment["WATCHDOG_PID"], Int(text) != processID { return }
        guard let text = environment["WATCHDOG_USEC"] else { return }
        if let microseconds = Int64(text), microseconds > 1 {
            signInterval = .microseconds(microseconds / 2)
        } else {
            problems.append("WATCHDOG_USEC is \(text): expected microseconds, more than one")
        }
    }

    private static func place(_ text: String, _ limit: Int) -> Place? {
        guard text.utf8.count <= limit, text.utf8.count > 1 else { return nil }
        if text.hasPrefix("/") { return .path(text) }
        return text.hasPrefix("@") ? .abstract(String(text.dropFirst())) : nil
    }
}
