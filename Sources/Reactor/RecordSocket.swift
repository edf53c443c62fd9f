/// One end of a connection between two processes of one program, over which records go, each with a descriptor or
/// without (unix(7), SCM_RIGHTS).
///
/// A record is a length of four bytes, a byte that says whether a descriptor belongs to it, and its bytes. A descriptor
/// leaves beside the first of these bytes, and the system never reads past one in a single call: so descriptors come
/// in the order of their records.
import CLibevent
import Glibc
import Synchronization

package final class RecordSocket: Sendable {
    package struct Record: Sendable {
        package let bytes: [UInt8]
        /// nil also for one that was lost, since the process may have no more.
        package let descriptor: PassedDescriptor?
    }

    /// Why there are no more records.
    package enum Fault: Error, Equatable, CustomStringConvertible {
        /// The other end has closed, or its process has ended.
        case ended
        /// It has taken nothing for the longest time that `send` waits.
        case stuck
        case failed(SystemError)
        /// What came is none of ours.
        case malformed

        package var description: String {
            switch self {
            case .ended: "the other process has ended"
            case .stuck: "the other process takes nothing"
            case .failed(let error): "\(error)"
            case .malformed: "what the other process says is not understood"
            }
        }
    }

    private struct Incoming {
        var bytes: [UInt8] = []
        var start = 0
        /// Numbers of descriptors whose records are not whole yet; below zero for one that was lost.
        var descriptors: [Int32] = []
    }

    private static let headBytes = 5
    /// A message and a request's head and body fit in with much room; more is no record of ours.
    private static let recordBytesLimit = 1 << 28
    private static let readBytesLimit = 1 << 16
    /// Seconds for which `send` waits for the other end.
    private static let patience = 10
    /// How often it is tried again, a millisecond apart, to send a descriptor where as many as may be are on their way.
    private static let triesLimit = 10_000

    private let descriptor: FileDescriptor
    private let incoming = Guarded(Incoming())

    var number: Int32 { descriptor.number }

    package init(_ descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
        setPatience(seconds: Self.patience)
    }

    /// For how long one `send` waits for the other end.
    package func setPatience(seconds: Int) {
        var patience = timeval(tv_sec: seconds, tv_usec: 0)
        unsafe _ = setsockopt(
            descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        incoming.withLock { incoming in for number in incoming.descriptors where number >= 0 { _ = close(number) } }
    }

    /// Two ends; the second one is for another process.
    package static func pair() throws(SystemError) -> (own: RecordSocket, other: PassedDescriptor) {
        var numbers: (Int32, Int32) = (-1, -1)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        let code = unsafe withUnsafeMutablePointer(to: &numbers) { pair in
            unsafe pair.withMemoryRebound(to: Int32.self, capacity: 2) { unsafe socketpair(AF_UNIX, kind, 0, $0) }
        }
        guard code == 0 else { throw SystemError("socketpair") }
        return (
            RecordSocket(FileDescriptor(owning: numbers.0)), PassedDescriptor(FileDescriptor(owning: numbers.1))
        )
    }

    // MARK: Out

    /// Sends a record. It waits while the other end is slow.
    ///
    /// - Parameter lent: a descriptor that the other process gets a copy of; it stays open here.
    package func send(_ record: [UInt8], lending lent: Int32? = nil) throws(Fault) {
        let length = UInt32(record.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(record.count + Self.headBytes)
        for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: length >> shift)) }
        bytes.append(lent == nil ? 0 : 1)
        bytes += record
        var sent = 0
        while sent < bytes.count { sent += try send(bytes, from: sent, lending: sent == 0 ? lent : nil) }
    }

    private func send(_ bytes: [UInt8], from start: Int, lending lent: Int32?) throws(Fault) -> Int {
        for _ in 0..<Self.triesLimit {
            let sent = unsafe bytes.withUnsafeBytes { bytes in
                unsafe shim_send_with_descriptor(
                    descriptor.number, bytes.baseAddress.map { unsafe $0 + start }, bytes.count - start, lent ?? -1)
            }
            if sent >= 0 { return sent }
            switch errno {
            case EINTR: continue
            // As many descriptors as may be are on their way; the other end takes them out.
            case ETOOMANYREFS: usleep(1000)
            case EAGAIN: throw .stuck
            case EPIPE, ECONNRESET: throw .ended
            default: throw .failed(SystemError("sendmsg"))
            }
        }
        throw .stuck
    }

    /// Nothing is sent or received any more, which the other end is told.
    package func end() { _ = shutdown(descriptor.number, Int32(SHUT_RDWR)) }

    // MARK: In

    /// The next record.
    ///
    /// - Parameter waiting: false: nil if there is none that is whole.
    package func receive(waiting: Bool) throws(Fault) -> Record? {
        while true {
            let (record, descriptor) = try incoming.withLock { incoming throws(Fault) in try Self.next(&incoming) }
            if let record {
                let passed = descriptor.map { PassedDescriptor(FileDescriptor(owning: $0)) }
                return Record(bytes: record, descriptor: passed)
            }
            guard try read(waiting: waiting) else { return nil }
        }
    }

    /// - Returns: false if nothing is there.
    private func read(waiting: Bool) throws(Fault) -> Bool {
        var buffer = [UInt8](repeating: 0, count: Self.readBytesLimit)
        var lent: Int32 = -1
        let flags = waiting ? 0 : Int32(MSG_DONTWAIT)
        let number = descriptor.number
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            FileDescriptor.retryingInterrupts {
                unsafe shim_receive_with_descriptor(number, bytes.baseAddress, bytes.count, flags, &lent)
            }
        }
        if count < 0, errno == EAGAIN { return false }
        if count == 0 || count < 0 && errno == ECONNRESET { throw .ended }
        guard count > 0 else { throw .failed(SystemError("recvmsg")) }
        incoming.withLock { incoming in
            if incoming.start > 0 {
                incoming.bytes.removeFirst(incoming.start)
                incoming.start = 0
            }
            incoming.bytes += buffer[..<count]
            if lent != -1 { incoming.descriptors.append(lent) }
        }
        return true
    }

    private static func next(_ incoming: inout Incoming) throws(Fault) -> (record: [UInt8]?, descriptor: Int32?) {
        let start = incoming.start
        guard incoming.bytes.count - start >= headBytes else { return (nil, nil) }
        var length = 0
        for index in 0..<4 { length |= Int(incoming.bytes[start + index]) << (8 * index) }
        let flag = incoming.bytes[start + 4]
        guard length <= recordBytesLimit, flag <= 1 else { throw .malformed }
        guard incoming.bytes.count - start >= headBytes + length else { return (nil, nil) }
        let record = Array(incoming.bytes[(start + headBytes)..<(start + headBytes + length)])
        incoming.start += headBytes + length
        guard flag == 1 else { return (record, nil) }
        guard !incoming.descriptors.isEmpty else { throw .malformed }
        let number = incoming.descriptors.removeFirst()
        return (record, number >= 0 ? number : nil)
    }
}

/// A descriptor on its way from one owner to another, in a list or through a door between threads.
package final class PassedDescriptor: Sendable {
    /// For calls that borrow it before it is taken.
    package let number: Int32
    private let isTaken = Atomic<Bool>(false)

    package init(_ descriptor: consuming FileDescriptor) { number = descriptor.intoNumber() }

    deinit {
        if !isTaken.load(ordering: .relaxed) { _ = close(number) }
    }

    /// To be called once.
    package func take() -> FileDescriptor {
        precondition(!isTaken.exchange(true, ordering: .relaxed), "a descriptor has one owner")
        return FileDescriptor(owning: number)
    }
}

/// The loop's side of such a connection: says when there may be records.
package final class RecordSource: EventSource {

    private let socket: RecordSocket
    private let received: () -> Void

    /// - Parameter received: called on the loop while there is something to read, an end among it.
    package init(loop: EventLoop, socket: RecordSocket, received: @escaping () -> Void) {
        self.socket = socket
        self.received = received
        super.init(loop: loop, descriptor: socket.number, interests: [.read, .persistent])
        register()
    }

    package override func becameReady(_ readiness: Readiness) { received() }
}
