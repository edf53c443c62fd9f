/// The terminal while something is shown on it again and again: keys come one by one, the cursor is hidden, and all
/// that stood there before is back at the end, whatever ends it.
import Glibc

final class Terminal {
    enum Wish {
        case ends
        case goesOn
    }

    private let previous: termios

    /// - Returns: nil where there is no terminal.
    init?() {
        var settings = termios()
        guard isatty(STDOUT_FILENO) == 1, unsafe tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        previous = settings
        unsafe cfmakeraw(&settings)
        unsafe _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
        // They are looked for between two keys, so that none of them leaves a terminal behind that is of no use.
        unsafe withUnsafePointer(to: Self.endingSignals) { unsafe _ = pthread_sigmask(SIG_BLOCK, $0, nil) }
        // Another screen, whose cursor is hidden.
        write("\u{1B}[?1049h\u{1B}[?25l")
    }

    func restore() {
        write("\u{1B}[?25h\u{1B}[?1049l")
        var settings = previous
        unsafe _ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    }

    /// As it is now; where the terminal does not say, that of the oldest ones.
    var size: (columns: Int, rows: Int) {
        var size = winsize()
        guard unsafe ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Puts these lines in the place of what is there. Nothing is cleared before it is written over, so that nothing
    /// flickers.
    func show(_ lines: [String]) {
        write("\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J")
    }

    /// Waits for a key or the time's end.
    ///
    /// - Parameter resized: called when the window has another size.
    func wait(seconds: Double, resized: () -> Void) -> Wish {
        var known = size
        // Tenths of a second: until a window that was resized looks right.
        var left = Int((seconds * 10).rounded(.up))
        while left > 0 {
            var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
            let isReady = unsafe poll(&input, 1, 100) > 0
            if hasSignal { return .ends }
            if isReady {
                guard let key = readKey() else { return .ends }
                // ctrl-C and ctrl-D are keys while the terminal is raw.
                if [UInt8(ascii: "q"), UInt8(ascii: "Q"), 3, 4].contains(key) { return .ends }
                if key == UInt8(ascii: " ") { return .goesOn }
                continue
            }
            left -= 1
            if size != known {
                known = size
                resized()
            }
        }
        return .goesOn
    }

    // MARK: Inside

    private static var endingSignals: sigset_t {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { unsafe sigaddset(&signals, signal) }
        return signals
    }

    private var hasSignal: Bool {
        var signals = Self.endingSignals
        var none = timespec()
        return unsafe sigtimedwait(&signals, nil, &none) > 0
    }

    /// - Returns: nil: the terminal has gone.
    private func readKey() -> UInt8? {
        var key: UInt8 = 0
        return unsafe read(STDIN_FILENO, &key, 1) == 1 ? key : nil
    }

    private func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            bytes = bytes.dropFirst(count)
        }
    }
}
