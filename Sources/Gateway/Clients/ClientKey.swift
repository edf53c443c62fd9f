/// Whom a limit per client counts as one: an address, an IPv6 network of 64 bits, which is what one subscriber has, or
/// what the configuration's template names.
///
/// 16 bytes, so that a connection can remember whom it is counted for.
import ByteText

package struct ClientKey: Hashable, Sendable {
    private let high: UInt64
    private let low: UInt64

    private init(_ high: UInt64, _ low: UInt64) {
        self.high = high
        self.low = low
    }

    /// No client: it is not counted.
    package static let nobody = ClientKey(0, 0)

    package init(_ address: ClientAddress) {
        switch address {
        case .unix: self.init(0, 1)
        case .network(let number) where number.isIPv4: self.init(0, number.low)
        // The last half tells networks from everything else.
        case .network(let number): self.init(number.high, 6)
        }
    }

    /// A client by a text of its own, such as a session's cookie. Of the text a hash is kept, seeded once a process,
    /// so that nobody can look for two texts that count as one.
    init(named text: [UInt8]) {
        self.init(Self.hash(text, 1), Self.hash(text, 2))
    }

    func write(to writer: inout RecordWriter) {
        writer.put(high)
        writer.put(low)
    }

    init(_ reader: inout RecordReader) throws(RecordError) { self.init(try reader.number(), try reader.number()) }

    private static func hash(_ text: [UInt8], _ turn: UInt8) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(turn)
        hasher.combine(text)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// How much each client has of something, for as long as it has any of it. The table is as long as there are such
/// clients, so what they have is its bound: one that has nothing is not in it.
package struct ClientCounts {
    private var counts: [ClientKey: Int32] = [:]

    package init() {}

    package var clientCount: Int { counts.count }

    /// Gives a client one more. O(1).
    ///
    /// - Returns: false if it has as many as the limit lets it.
    package mutating func take(_ key: ClientKey, limit: Int) -> Bool {
        let count = counts[key] ?? 0
        guard Int(count) < limit else { return false }
        counts[key] = count + 1
        return true
    }

    /// Takes one from a client. O(1).
    package mutating func giveBack(_ key: ClientKey) {
        guard let count = counts[key] else { preconditionFailure("what is given back was taken") }
        counts[key] = count > 1 ? count - 1 : nil
        // A crowd that has left leaves no table behind.
        if counts.isEmpty { counts = [:] }
    }
}
