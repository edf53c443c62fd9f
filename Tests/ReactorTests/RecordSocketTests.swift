import Glibc
import Reactor
import Testing

/// Records with and without descriptors over one connection.
struct RecordSocketTests {
    private func pipes(_ count: Int) -> [(reader: Int32, writer: FileDescriptorBox)] {
        (0..<count).map { _ in
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            return (ends[0], FileDescriptorBox(ends[1]))
        }
    }

    private final class FileDescriptorBox {
        let number: Int32
        init(_ number: Int32) { self.number = number }
        deinit { close(number) }
    }

    @Test func `records come as they left, each with its own descriptor`() throws {
        let (own, other) = try RecordSocket.pair()
        let far = RecordSocket(other.take())
        let pipes = pipes(3)
        defer { for pipe in pipes { close(pipe.reader) } }
        let large = [UInt8](repeating: 7, count: 100_000)
        try own.send([])
        for pipe in pipes { try own.send([1, 2], lending: pipe.writer.number) }
        try own.send(large)
        try own.send([3], lending: pipes[0].writer.number)
        let first = try #require(try far.receive(waiting: true))
        #expect(first.bytes == [] && first.descriptor == nil)
        for pipe in pipes {
            let record = try #require(try far.receive(waiting: true))
            #expect(record.bytes == [1, 2])
            let descriptor = try #require(record.descriptor).take()
            #expect(fcntl(descriptor.number, F_GETFD) & FD_CLOEXEC != 0)
            #expect(write(descriptor.number, [9], 1) == 1)
            var byte: UInt8 = 0
            #expect(read(pipe.reader, &byte, 1) == 1 && byte == 9)
        }
        #expect(try far.receive(waiting: true)?.bytes == large)
        #expect(try far.receive(waiting: false)?.bytes == [3])
        #expect(try far.receive(waiting: false)?.bytes == nil)
    }

    @Test func `descriptors that nobody takes are closed`() throws {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        defer { close(ends[0]) }
        do {
            let (own, other) = try RecordSocket.pair()
            let far = RecordSocket(other.take())
            for _ in 0..<3 { try own.send([1], lending: ends[1]) }
            // One is taken out and dropped, and the others are still on their way.
            _ = try far.receive(waiting: true)
        }
        close(ends[1])
        var byte: UInt8 = 0
        // With all writers gone the pipe has an end.
        #expect(read(ends[0], &byte, 1) == 0)
    }

    @Test func `an end and what is no record are told apart`() throws {
        do {
            let (own, other) = try RecordSocket.pair()
            _ = other.take()
            #expect(throws: RecordSocket.Fault.ended) { try own.receive(waiting: true) }
            #expect(throws: RecordSocket.Fault.ended) { try own.send([1]) }
        }
        for bytes: [UInt8] in [[255, 255, 255, 255, 0], [1, 0, 0, 0, 2, 5], [1, 0, 0, 0, 1, 5]] {
            let (own, other) = try RecordSocket.pair()
            let far = other.take()
            #expect(write(far.number, bytes, bytes.count) == bytes.count)
            #expect(throws: RecordSocket.Fault.malformed) { try own.receive(waiting: true) }
        }
    }

    @Test func `many descriptors go over while the other end reads`() throws {
        let (own, other) = try RecordSocket.pair()
        let far = RecordSocket(other.take())
        let pipe = pipes(1)[0]
        defer { close(pipe.reader) }
        let number = pipe.writer.number
        let sender = try LoopThread(name: "sender") {
            for value in 0..<5000 {
                do {
                    try own.send([UInt8(value % 251)], lending: number)
                } catch {
                    return
                }
            }
        }
        for value in 0..<5000 {
            let record = try #require(try far.receive(waiting: true))
            #expect(record.bytes == [UInt8(value % 251)])
            #expect(record.descriptor != nil)
        }
        sender.join()
    }
}

struct ChildProcessTests {
    @Test func `it has the descriptor that it is handed, its arguments and its environment, and its exit is told`()
        throws
    {
        let (own, other) = try RecordSocket.pair()
        let script = #"test "$NAME" = value && test "$1" = one && printf '\001\000\000\000\000x' >&3; exit 7"#
        let child = try ChildProcess(
            path: "/bin/sh", arguments: ["sh", "-c", script, "sh", "one"], environment: ["NAME": "value"],
            handing: other)
        #expect(try own.receive(waiting: true)?.bytes == Array("x".utf8))
        #expect(child.exit(within: 20_000) == .status(7))
        #expect(child.exit(within: 1) == nil)
        let killed = try ChildProcess(
            path: "/bin/sh", arguments: ["sh", "-c", "exec sleep 600"], environment: [:],
            handing: try RecordSocket.pair().other)
        #expect(killed.exit(within: 1) == nil)
        kill(killed.id, SIGKILL)
        #expect(killed.exit(within: 20_000) == .signal(9))
        killed.kill()
        #expect(throws: SystemError("posix_spawn", code: ENOENT)) {
            try ChildProcess(
                path: "/nowhere", arguments: ["x"], environment: [:], handing: try RecordSocket.pair().other)
        }
    }
}
