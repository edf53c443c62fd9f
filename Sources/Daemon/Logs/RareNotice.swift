/// Lets something be logged that may happen thousands of times a second: once in a while, with how often it happened.
struct RareNotice {
    /// Nanoseconds between two lines.
    private static let pause: Int64 = 10_000_000_000

    private var count: UInt64 = 0
    private var quietUntil = Int64.min

    /// It has happened once more.
    ///
    /// - Returns: how often since it was last told, if it is to be told now.
    mutating func happened(now: Int64) -> UInt64? {
        count += 1
        guard now >= quietUntil else { return nil }
        quietUntil = now + Self.pause
        defer { count = 0 }
        return count
    }
}
