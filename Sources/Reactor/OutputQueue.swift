/// Bytes that a stream accepted and the system did not take yet, as references to arrays: a block that many slow
/// streams wait to send stands in memory once. Small pieces are copied behind one another instead: a reference to each
/// would cost more than its bytes, and a sender chooses how small its pieces are.
struct OutputQueue {
    /// Bytes up to which a piece is copied.
    private static let copiedBytesLimit = 1024
    /// Bytes of a block that pieces are copied into.
    private static let collectedBytesLimit = 16384

    private var blocks: [[UInt8]] = []
    /// How much of the first block has left.
    private var start = 0
    /// Bytes that wait.
    private(set) var count = 0
    /// The last block was made here, so nobody else refers to it.
    private var lastIsOwn = false

    var isEmpty: Bool { count == 0 }

    /// The first block and the offset of its first byte that has not left.
    var first: (bytes: [UInt8], start: Int)? {
        blocks.first.map { ($0, start) }
    }

    /// All that waits.
    var joined: [UInt8] { Array(blocks.joined().dropFirst(start)) }

    /// - Parameter offset: bytes before it have left already.
    mutating func append(_ bytes: [UInt8], from offset: Int) {
        guard offset < bytes.count else { return }
        count += bytes.count - offset
        guard !blocks.isEmpty else {
            start = offset
            lastIsOwn = false
            blocks.append(bytes)
            return
        }
        precondition(offset == 0, "only the first block can be part gone")
        if bytes.count > Self.copiedBytesLimit {
            lastIsOwn = false
            blocks.append(bytes)
        } else {
            collect(bytes)
        }
    }

    /// Appends a copy, in one block with the pieces before it where they are copies too.
    mutating func append(copying bytes: [UInt8]) {
        count += bytes.count
        if !bytes.isEmpty { collect(bytes) }
    }

    private mutating func collect(_ bytes: [UInt8]) {
        if lastIsOwn, let last = blocks.indices.last, blocks[last].count < Self.collectedBytesLimit {
            blocks[last].append(contentsOf: bytes)
        } else {
            lastIsOwn = true
            var block: [UInt8] = []
            block.reserveCapacity(Self.collectedBytesLimit + bytes.count)
            block.append(contentsOf: bytes)
            blocks.append(block)
        }
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
        if blocks.isEmpty {
            blocks = []
            lastIsOwn = false
        }
    }
}

extension [UInt8] {
    /// Appends `bytes[start...]`.
    mutating func appendRest(of bytes: Span<UInt8>, from start: Int) {
        guard start < bytes.count else { return }
        unsafe bytes.extracting(start...).withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
