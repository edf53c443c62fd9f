import Foundation

/// Room for the sockets of a large crowd. Several tests have one at the same time, and all of their descriptors are this
/// process'.
final class CrowdRoom {
    private static let condition = NSCondition()
    nonisolated(unsafe) private static var taken = 0

    /// What all crowds together may have. The rest is for everything else.
    static let total: Int = {
        let limit = LoadClients.descriptorLimit
        return max(limit - 3000, limit / 2)
    }()

    private let count: Int

    /// Waits until there is room.
    ///
    /// - Parameter count: at most `total`.
    init(_ count: Int) throws {
        guard count <= Self.total else { throw TestFailure("a crowd of \(count) where there is room for \(Self.total)") }
        self.count = count
        Self.condition.withLock {
            while Self.taken + count > Self.total { Self.condition.wait() }
            Self.taken += count
        }
    }

    deinit {
        Self.condition.withLock {
            Self.taken -= count
            Self.condition.broadcast()
        }
    }
}
