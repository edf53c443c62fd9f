/// The wall clock, for logs and Date fields alone: deadlines and order never depend on it.
import Glibc

package struct WallTime: Equatable, Sendable {
    /// Seconds since 1970 and the microseconds within.
    package let seconds: Int
    package let microseconds: Int

    package static var now: WallTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(seconds: time.tv_sec, microseconds: time.tv_nsec / 1000)
    }

    /// Since 1970.
    var nanoseconds: Int64 { Int64(seconds) * 1_000_000_000 + Int64(microseconds) * 1000 }

    /// `20261124T104705Z`, as a part of a file's name.
    var stamp: String { text("%Y%m%dT%H%M%SZ") }

    /// `2026-11-24T10:47:05.123Z`
    package var isoText: String {
        let milliseconds = String(microseconds / 1000 + 1000).dropFirst()
        return text("%Y-%m-%dT%H:%M:%S") + "." + milliseconds + "Z"
    }

    /// `24/Nov/2026:10:47:05 +0000`, as the common log format has it.
    package var commonLogText: String { text("%d/%b/%Y:%H:%M:%S +0000") }

    /// In UTC, by a format of strftime(3).
    private func text(_ format: String) -> String {
        var seconds = seconds
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let count = unsafe strftime(base, buffer.count, format, &parts)
            return unsafe String(decoding: UnsafeRawBufferPointer(start: base, count: count), as: UTF8.self)
        }
    }
}
