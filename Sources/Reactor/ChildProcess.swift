/// A process that this one has started, and which may outlive it.
import CLibevent
import Glibc

package final class ChildProcess {
    package let id: Int32
    private var hasBeenWaitedFor = false

    /// How a process has ended.
    package enum Exit: Equatable, CustomStringConvertible {
        case status(Int32)
        case signal(Int32)

        package var description: String {
            switch self {
            case .status(let status): "status \(status)"
            case .signal(let signal): "signal \(signal)"
            }
        }
    }

    /// Where a process' first descriptor behind the standard ones stands.
    package static let handedNumber: Int32 = 3

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - handing: a descriptor that it finds under `handedNumber`. Of all others it gets the standard three alone,
    ///     since everything else that is opened here is closed by exec.
    /// - Throws: `SystemError`, e.g. ENOENT.
    package init(
        path: String, arguments: [String], environment: [String: String], handing: PassedDescriptor
    ) throws(SystemError) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, handing.number, Self.handedNumber)
        let variables = environment.map { "\($0.key)=\($0.value)" }
        var process = pid_t()
        let code = unsafe Self.withTexts(arguments) { arguments in
            unsafe Self.withTexts(variables) { variables in
                unsafe posix_spawn(&process, path, &actions, nil, arguments, variables)
            }
        }
        guard code == 0 else { throw SystemError("posix_spawn", code: code) }
        id = process
    }

    /// Lends texts in the form of C, with a nil behind them.
    private static func withTexts<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = unsafe texts.map { unsafe strdup($0) }
        unsafe pointers.append(nil)
        defer { for index in unsafe pointers.indices { unsafe free(pointers[index]) } }
        return unsafe pointers.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { preconditionFailure("there is the nil at least") }
            return unsafe body(base)
        }
    }

    /// Kills it. To be followed by `wait`.
    package func kill() {
        // The number is its own until it has been waited for.
        if !hasBeenWaitedFor { _ = Glibc.kill(id, SIGKILL) }
    }

    /// Takes note of its end, if it has ended.
    package func waitIfEnded() {
        guard !hasBeenWaitedFor else { return }
        var status: Int32 = 0
        hasBeenWaitedFor = unsafe waitpid(id, &status, WNOHANG) == id
    }

    /// Waits for its end. nil if it has been waited for.
    package func wait() -> Exit? {
        guard !hasBeenWaitedFor else { return nil }
        hasBeenWaitedFor = true
        var status: Int32 = 0
        let id = id
        let waited = FileDescriptor.retryingInterrupts { unsafe Int(waitpid(id, &status, 0)) }
        guard waited == Int(id) else { return nil }
        let signal = status & 0x7F
        return signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
    }

    /// The program that this process runs. Where its file is replaced afterwards, the path is the new one's, so it is
    /// to be asked for at the start.
    package static var ownPath: String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = unsafe bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe readlink("/proc/self/exe", base, bytes.count)
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
