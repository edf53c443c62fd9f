/// Bytes that a stream accepted and the system did not take yet, as references to arrays: a block that many slow
/// streams wait to send stands in memory once.
struct OutputQueue {
    private var blocks: [[UInt8]] = []
    /// How much of the first block has left.
    private var start = 0
    /// Bytes that wait.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// The first block and the offset of its first byte that has not left.
    var first: (bytes: [UInt8], start: Int)? {
        blocks.first.map { ($0, start) }
    }

    /// - Parameter offset: bytes before it have left already.
    mutating func append(_ bytes: [UInt8], from offset: Int) {
        guard offset < bytes.count else { return }
        if blocks.isEmpty { start = offset } else { precondition(offset == 0, "only the first block can be part gone") }
        blocks.append(bytes)
        count += bytes.count - offset
    }

    /// The first `sent` bytes have left; at most the first block.
    mutating func drop(_ sent: Int) {
        guard let block = blocks.first else { return }
        start += sent
        count -= sent
        if start == block.count {
            blocks.removeFirst()
            start = 0
        }
        // An empty queue owns no buffer.
        if blocks.isEmpty { blocks = [] }
    }
}
