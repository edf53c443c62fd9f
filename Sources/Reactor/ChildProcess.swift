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

    /// Kills it and waits for its end.
    package func kill() {
        // The number is its own until it has been waited for.
        guard !hasBeenWaitedFor else { return }
        _ = Glibc.kill(id, SIGKILL)
        _ = wait(flags: 0)
    }

    /// Waits for its end for so many milliseconds.
    ///
    /// - Returns: nil if it goes on, or its end has been told.
    package func exit(within milliseconds: Int) -> Exit? {
        for _ in 0..<max(1, milliseconds) {
            if let exit = wait(flags: WNOHANG) { return exit }
            if hasBeenWaitedFor { return nil }
            usleep(1000)
        }
        return nil
    }

    private func wait(flags: Int32) -> Exit? {
        guard !hasBeenWaitedFor else { return nil }
        var status: Int32 = 0
        let id = id
        guard FileDescriptor.retryingInterrupts({ unsafe Int(waitpid(id, &status, flags)) }) == Int(id) else {
            return nil
        }
        hasBeenWaitedFor = true
        let signal = status & 0x7F
        return signal == 0 ? .status(status >> 8 & 0xFF) : .signal(signal)
    }

    /// Where the program of this process is found: under the name by which it was started, if that is a path, since a
    /// link there may lead to another version later; else its file. To be asked for at the start: later the file may
    /// have another name, and this process another directory.
    package static func ownPath(calledAs name: String) -> String {
        var bytes = [UInt8](repeating: 0, count: Int(PATH_MAX))
        if name.utf8.contains(0x2F), unsafe access(name, X_OK) == 0 {
            if name.hasPrefix("/") { return name }
            let isKnown = unsafe bytes.withUnsafeMutableBytes { bytes in
                unsafe getcwd(bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count) != nil
            }
            if isKnown { return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) + "/" + name }
        }
        let count = unsafe bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return 0 }
            return unsafe readlink("/proc/self/exe", base, bytes.count)
        }
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }
}
