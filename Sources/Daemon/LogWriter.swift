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
    }

    package let destination: Destination
    private let state = Guarded(State())
    private let wake: WakeUp
    /// Until `end` has joined it.
    private let thread = Guarded<LoopThread?>(nil)

    /// Opens the destination and starts the thread.
    ///
    /// - Throws: `SystemError` of `open`, e.g. EACCES.
    package init(_ destination: Destination) throws(SystemError) {
        self.destination = destination
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

    /// Writes what waits and ends the thread. Nothing may be written behind it; ending again does nothing.
    package func end() {
        state.withLock { $0.ends = true }
        wake.ring()
        let running = thread.withLock { $0.take() }
        running?.join()
    }

    private func writeUntilEnd(_ first: Int32) {
        var file = first
        while true {
            wake.wait()
            let (lines, dropped, reopens, ends) = state.withLock { state in
                let taken = (state.waiting, state.droppedLines, state.reopens, state.ends)
                state.waiting = []
                state.droppedLines = 0
                state.reopens = false
                return taken
            }
            if reopens, case .file = destination {
                do throws(SystemError) {
                    let fresh = try Self.open(destination)
                    close(file)
                    file = fresh
                } catch {
                    // The old file is still better than none.
                }
            }
            writeAll(lines, to: file)
            if dropped > 0 {
                writeAll(Array("(\(dropped) log lines were dropped: the destination was too slow)\n".utf8), to: file)
            }
            if ends { break }
        }
        if case .file = destination { close(file) }
    }

    private func writeAll(_ bytes: [UInt8], to file: Int32) {
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
                // A full disk or a reader that has gone: these lines are lost, the service goes on.
                let lost = bytes[start...].count { $0 == 0x0A }
                state.withLock {
                    $0.droppedLines += UInt64(lost)
                    $0.droppedLinesInAll += UInt64(lost)
                }
                return
            }
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
