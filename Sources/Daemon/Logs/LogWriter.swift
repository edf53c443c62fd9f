/// Writes log lines on a thread of its own, so that a slow disk or a full pipe never stops a loop.
///
/// Lines wait in one bounded buffer. A full buffer drops whole lines and counts them; the count is written as soon as
/// there is room again, so a gap in a log says how large it is.
import ByteText
import Glibc
package import Reactor

package final class LogWriter: Sendable {
    package enum Destination: Equatable, Sendable {
        case standardError
        case standardOutput
        case file(path: String)
    }

    /// Bytes that may wait for the disk: some 5,000 lines.
    private static let waitingBytesLimit = 1 << 20

    private struct State {
        var waiting: [UInt8] = []
        var droppedLines: UInt64 = 0
        var droppedLinesInAll: UInt64 = 0
        var reopens = false
        var ends = false
        var hasEnded = false
        /// Its lines are JSON objects.
        var isJSON: Bool
    }

    package let destination: Destination
    private let state: Guarded<State>
    private let wake: WakeUp
    /// Until `end` has joined it.
    private let thread = Guarded<LoopThread?>(nil)

    /// Opens the destination and starts the thread.
    ///
    /// - Throws: `SystemError` of `open`, e.g. EACCES.
    package init(_ destination: Destination, isJSON: Bool) throws(SystemError) {
        self.destination = destination
        state = Guarded(State(isJSON: isJSON))
        wake = try WakeUp()
        let file = try Self.open(destination)
        // The thread keeps this object until `end` has been called, which every owner does.
        let started = try LoopThread(name: "log") { [self] in writeUntilEnd(file) }
        thread.withLock { $0 = started }
    }

    /// Lines that were dropped since the start because the destination was too slow or failed.
    package var droppedLines: UInt64 { state.withLock { $0.droppedLinesInAll } }

    /// Puts whole lines, each with its line feed, into the buffer. Never waits for the destination.
    package func write(_ lines: Span<UInt8>) {
        let rings = state.withLock { state in
            guard state.waiting.count + lines.count <= Self.waitingBytesLimit else {
                state.droppedLines += 1
                state.droppedLinesInAll += 1
                return false
            }
            state.waiting.append(lines)
            return state.waiting.count == lines.count
        }
        if rings { wake.ring() }
    }

    /// Opens the file anew under its path, after a log rotation moved the old one away.
    package func reopen() {
        state.withLock { $0.reopens = true }
        wake.ring()
    }

    /// Its lines have another form from now on.
    package func setForm(isJSON: Bool) { state.withLock { $0.isJSON = isJSON } }

    /// Nothing more is written to it: its thread writes what waits and ends, however long that takes. `end` is still
    /// to be called, and does not wait once `hasEnded`.
    package func retire() {
        state.withLock { $0.ends = true }
        wake.ring()
    }

    package var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Writes what waits and ends the thread. Nothing may be written behind it; ending again does nothing.
    package func end() {
        state.withLock { $0.ends = true }
        wake.ring()
        let running = thread.withLock { $0.take() }
        running?.join()
    }

    private func writeUntilEnd(_ first: Int32) {
        var output = Output(file: first)
        while true {
            wake.wait()
            let (lines, dropped, reopens, ends) = state.withLock { state in
                let taken = (state.waiting, state.droppedLines, state.reopens, state.ends)
                state.waiting = []
                state.droppedLines = 0
                state.reopens = false
                return taken
            }
            if reopens { reopen(&output) }
            lost(output.write(lines), told: false)
            if dropped > 0 { lost(output.write(notice(of: dropped)) > 0 ? dropped : 0, told: true) }
            if ends { break }
        }
        if case .file = destination { close(output.file) }
        state.withLock { $0.hasEnded = true }
    }

    private func reopen(_ output: inout Output) {
        guard case .file = destination else { return }
        do throws(SystemError) {
            let fresh = try Self.open(destination)
            close(output.file)
            output = Output(file: fresh)
        } catch {
            // The old file is still better than none.
        }
    }

    /// These lines are lost, the service goes on.
    ///
    /// - Parameter told: they have been counted before, but the line that says so could not be written.
    private func lost(_ lines: UInt64, told: Bool) {
        guard lines > 0 else { return }
        state.withLock {
            $0.droppedLines += lines
            if !told { $0.droppedLinesInAll += lines }
        }
    }

    private func notice(of dropped: UInt64) -> [UInt8] {
        let text = "\(dropped) log lines were dropped: the destination was full or too slow"
        let isJSON = state.withLock { $0.isJSON }
        return Array((isJSON ? "{\"level\":\"warning\",\"message\":\"\(text)\"}\n" : "(\(text))\n").utf8)
    }

    /// The destination as the thread has it.
    private struct Output {
        let file: Int32
        /// A write that failed has left the beginning of a line.
        private var isInsideLine = false

        init(file: Int32) { self.file = file }

        /// Writes whole lines. A full disk or a reader that has gone loses what is left of them.
        ///
        /// - Returns: how many lines are lost.
        mutating func write(_ lines: [UInt8]) -> UInt64 {
            guard !lines.isEmpty else { return 0 }
            // A line that was cut must not take the next one with it.
            let bytes = isInsideLine ? [0x0A] + lines : lines
            var start = 0
            while start < bytes.count {
                let count = unsafe bytes.withUnsafeBytes {
                    unsafe Glibc.write(file, $0.baseAddress?.advanced(by: start), $0.count - start)
                }
                if count >= 0 {
                    start += count
                } else if errno == EAGAIN {
                    var waiting = pollfd(fd: file, events: Int16(POLLOUT), revents: 0)
                    unsafe _ = poll(&waiting, 1, 1000)
                } else if errno != EINTR {
                    if start > 0 { isInsideLine = bytes[start - 1] != 0x0A }
                    return UInt64(bytes[max(start, bytes.count - lines.count)...].count { $0 == 0x0A })
                }
            }
            isInsideLine = false
            return 0
        }
    }

    private static func open(_ destination: Destination) throws(SystemError) -> Int32 {
        switch destination {
        case .standardError: return STDERR_FILENO
        case .standardOutput: return STDOUT_FILENO
        case .file(let path):
            let number = unsafe Glibc.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
            guard number >= 0 else { throw SystemError("open") }
            return number
        }
    }
}
