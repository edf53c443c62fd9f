import Testing

@testable import Reactor

struct OutputQueueTests {
    /// Takes `step` bytes at a time, at most the first block's.
    private func drained(_ queue: inout OutputQueue, step: Int) -> (bytes: [UInt8], blocks: Int) {
        var bytes: [UInt8] = []
        var blocks = 0
        while let (block, start) = queue.first {
            let part = block[start...].prefix(step)
            bytes += part
            if start + part.count == block.count { blocks += 1 }
            queue.drop(part.count)
        }
        return (bytes, blocks)
    }

    @Test(arguments: [1, 7, 1000, 100_000])
    func `what was put in comes out in its order, whatever the pieces`(step: Int) {
        var random = SystemRandomNumberGenerator()
        var queue = OutputQueue()
        var expected: [UInt8] = []
        var gone = 0
        for number in 0..<300 {
            let piece = (0..<Int.random(in: 0...3000, using: &random)).map { UInt8(truncatingIfNeeded: $0 + number) }
            // What has left already can only be of the first block.
            let offset = queue.isEmpty ? min(2, piece.count) : 0
            if number % 5 == 4 {
                queue.append(copying: Array(piece.dropFirst(offset)))
            } else {
                queue.append(piece, from: offset)
            }
            expected += piece.dropFirst(offset)
            #expect(queue.count == expected.count - gone)
            if let (block, start) = queue.first, number % 3 == 0 {
                let count = min(step, block.count - start)
                #expect(Array(block[start..<start + count]) == Array(expected[gone..<gone + count]))
                queue.drop(count)
                gone += count
            }
        }
        let (bytes, _) = drained(&queue, step: step)
        #expect(bytes == Array(expected[gone...]))
        #expect(queue.isEmpty && queue.count == 0)
    }

    @Test func `many small pieces share few blocks, large ones are kept as they are`() {
        var queue = OutputQueue()
        for _ in 0..<10_000 { queue.append([1, 2, 3, 4, 5, 6], from: 0) }
        let (bytes, blocks) = drained(&queue, step: .max)
        #expect(bytes.count == 60_000)
        #expect(blocks < 10)
        let large = [UInt8](repeating: 7, count: 5000)
        for _ in 0..<3 { queue.append(large, from: 0) }
        let (_, same) = drained(&queue, step: .max)
        #expect(same == 3)
    }
}
