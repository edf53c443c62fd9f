/// Whether memory is short: from the limit on, until a tenth of it is free again, so that it does not turn to and fro.
package struct MemoryPressure: Equatable, Sendable {
    /// As of the last look.
    package private(set) var bytes = 0
    package private(set) var isShort = false

    package init() {}

    /// - Parameter limit: nil: there is none.
    /// - Returns: whether it has begun or ended to be short.
    package mutating func measured(_ bytes: Int, limit: Int?) -> Bool {
        self.bytes = bytes
        let wasShort = isShort
        if let limit {
            isShort = bytes >= (wasShort ? limit - limit / 10 : limit)
        } else {
            isShort = false
        }
        return isShort != wasShort
    }
}
