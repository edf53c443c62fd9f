/// A connected stream socket on a loop: bytes in are lent to the subclass, bytes out leave at once or wait in a queue.
///
/// The laws, and the ways to keep them:
///  1. *An idle stream owns no buffer.* Bytes are read into the loop's buffer and lent for one call; what `received`
///     does not consume is kept here and lent again, with what came since, at the next call.
///  2. *Readiness is an edge.* One persistent edge-triggered event serves reading, writing and the peer's close, so
///     pausing and resuming cost no system call, and a paused stream still learns that its peer has gone. Therefore
///     an edge that was not read to its end is remembered in `mayRead`. A read that does not fill the buffer has
///     emptied the socket of bytes, but an end may stand behind them, and no further edge will tell of it: libevent
///     reports a reset as readable and writable, like any bytes. So the loop asks about all such streams of a turn at
///     once (`DoubtfulStreams`) instead of by a second recv for each.
///  3. *Nothing is freed inside its own callback.* `close` ends the events and the descriptor at once; the owner drops
///     the object at the end of the turn.
import CLibevent
import Glibc

open class ByteStream: EventSource {
    // What is asked for at every event is private and only loaded and stored, never lent to a call: then the compiler
    // itself knows that no two accesses can meet, and the run-time check for it, some 65 instructions each time, falls
    // away. It was a tenth of a proxied request.

    /// Bytes up to which a piece is not worth a system call of its own.
    private static let gatheredBytesLimit = 4096

    private var descriptor: FileDescriptor?
    /// The descriptor's number while it is open, else -1.
    private var openNumber: Int32
    /// Bytes that were lent and not consumed, in the order in which they came.
    private var unread: [UInt8] = []
    /// All that was ever given to `send`.
    private var acceptedBytes: UInt64 = 0
    private var output = OutputQueue()
    /// `output.count`
    private var outputBytes = 0
    /// Pieces wait to leave together at the end of this turn.
    private var flushIsDue = false
    /// What was kept is enough to go on with, so no more is read before it has been lent.
    private var lendsFirst = false
    private var mayRead = false
    /// The last edge may have told of the peer's end too. The loop is asked, or the socket is read to its end.
    private var mayHaveEnded = false
    /// It is in the loop's list of those to be asked about.
    final var isInDoubt = false
    /// The peer has ended its side; what it sent before may still wait to be read.
    private var peerHasClosed = false
    private var isConnecting: Bool
    private var finishesAfterOutput = false
    /// The peer had broken the connection when something was sent to it.
    package private(set) var hasSendFailed = false
    /// While true nothing is read or lent. The subclass sets it by `pauseReading` and `resumeReading`.
    private var paused = false

    /// Takes over a socket whose connect may be under way.
    package init(loop: EventLoop, socket: consuming StreamSocket) {
        let number = socket.number
        isConnecting = socket.isConnecting
        openNumber = number
        self.descriptor = socket.takeDescriptor()
        super.init(loop: loop, descriptor: number, interests: [.read, .write, .closed, .edge, .persistent])
        register()
    }

    // MARK: What a subclass is told

    /// The outgoing connect has succeeded.
    open func connected() {}

    /// Bytes have come. They are lent for this call.
    ///
    /// - Returns: how many of them, from the first on, are done with. The rest is lent again later.
    open func received(_ bytes: Span<UInt8>) -> Int {
        preconditionFailure("a subclass says what it does with bytes")
    }

    /// The queue of waiting output has become empty.
    open func outputDrained() {}

    /// No more bytes will come; bytes that were not consumed stay unconsumed. Called once, unless the stream was
    /// closed.
    open func inputEnded(_ end: End) {}

    /// The peer has ended its side while this stream is paused; bytes may still wait before that end.
    open func peerClosedWhilePaused() {}

    // MARK: What a subclass does

    package final var isOpen: Bool { openNumber >= 0 }

    package final var isPaused: Bool { paused }

    /// Bytes accepted by `send` that the system has not taken yet.
    package final var queuedBytes: Int { outputBytes }

    /// How much of all that was ever given to `send` has reached the peer's system: what waits here or in our own
    /// system does not count. So it grows as the peer reads, also while a full system buffer takes nothing more from
    /// us. One system call.
    package final var deliveredBytes: UInt64 {
        var waiting: Int32 = 0
        if let number = descriptor?.number { unsafe _ = ioctl(number, UInt(TIOCOUTQ), &waiting) }
        return acceptedBytes - UInt64(output.count) - min(UInt64(max(0, waiting)), acceptedBytes - UInt64(output.count))
    }

    /// Bytes that came and were not consumed.
    package final var unreadBytes: Int { unread.count }

    /// Stops lending bytes; the peer is slowed down by TCP itself.
    package final func pauseReading() {
        guard !paused else { return }
        paused = true
        // No further edge will tell of an end that has been told of and not read.
        if mayHaveEnded { loop.settle(self) }
    }

    /// Lends again what waits, in the next turn and not inside this call, so that streams never call each other in
    /// circles.
    package final func resumeReading() {
        guard paused else { return }
        paused = false
        lendsFirst = !unread.isEmpty
        if mayRead || lendsFirst { loop.callAgain(self) }
    }

    /// Lends the unconsumed bytes once more in the next turn, for a subclass that can now go on with them.
    package final func lendAgain() {
        guard !paused, !unread.isEmpty else { return }
        lendsFirst = true
        loop.callAgain(self)
    }

    /// Sends a copy of `first` and `second`, in one segment where they fit; what the system does not take now waits
    /// here.
    package final func send(_ first: Span<UInt8>, _ second: Span<UInt8>) {
        guard isOpen else { return }
        acceptedBytes += UInt64(first.count + second.count)
        if flushIsDue { sendGathered() }
        var sent = 0
        if outputBytes == 0, !isConnecting { sent = transmit(first, second) }
        guard sent < first.count + second.count else { return }
        var rest: [UInt8] = []
        rest.reserveCapacity(first.count + second.count - sent)
        rest.appendRest(of: first, from: sent)
        rest.appendRest(of: second, from: max(0, sent - first.count))
        output.append(rest, from: 0)
        outputBytes = output.count
    }

    /// Sends bytes of an array that the caller goes on using. A small piece leaves with those that follow in this turn,
    /// by one system call for all: a peer chooses how small its pieces are.
    package final func send(gathering bytes: [UInt8]) {
        guard bytes.count <= Self.gatheredBytesLimit else { return send(copying: bytes) }
        guard isOpen else { return }
        acceptedBytes += UInt64(bytes.count)
        output.append(copying: bytes)
        outputBytes = output.count
        guard !flushIsDue else { return }
        flushIsDue = true
        loop.callAgain(self)
    }

    /// Sends bytes that are shared with other streams: what waits keeps a reference and no copy.
    package final func send(shared bytes: [UInt8]) {
        guard isOpen else { return }
        acceptedBytes += UInt64(bytes.count)
        if flushIsDue { sendGathered() }
        var sent = 0
        if outputBytes == 0, !isConnecting { sent = transmit(bytes.span, Span()) }
        guard sent < bytes.count else { return }
        output.append(bytes, from: sent)
        outputBytes = output.count
    }

    /// Ends our side (FIN) as soon as all output has left.
    package final func finishSending() {
        let number = openNumber
        guard number >= 0 else { return }
        if outputBytes == 0 { _ = shutdown(number, Int32(SHUT_WR)) } else { finishesAfterOutput = true }
    }

    /// Closes at once; waiting output is dropped. With `reset` the peer sees a broken connection instead of an end.
    package final func close(reset: Bool = false) {
        let number = openNumber
        guard number >= 0 else { return }
        if reset {
            var linger = linger(l_onoff: 1, l_linger: 0)
            unsafe _ = setsockopt(number, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        unregister()
        descriptor = nil
        openNumber = -1
        output = OutputQueue()
        outputBytes = 0
        unread = []
        mayRead = false
    }

    // MARK: Changing hands

    /// Bytes that came and were not consumed, and bytes that wait to be sent.
    package final var waitingBytes: (input: [UInt8], output: [UInt8]) { (unread, output.joined) }

    /// Goes on where another stream has stopped: what came is lent, and what waits is sent, in the next turn.
    package final func goOn(input: [UInt8], output waiting: [UInt8]) {
        precondition(unread.isEmpty && outputBytes == 0, "a stream goes on before anything comes or leaves")
        unread = input
        acceptedBytes += UInt64(waiting.count)
        output.append(waiting, from: 0)
        outputBytes = output.count
        flushIsDue = outputBytes > 0
        lendsFirst = !input.isEmpty
        if flushIsDue || lendsFirst { loop.callAgain(self) }
    }

    /// Closes without a word to the peer: whoever has the descriptor goes on with the connection.
    package final func takeDescriptor() -> FileDescriptor? {
        guard let taken = descriptor.take() else { return nil }
        close()
        return taken
    }

    // MARK: The loop's calls

    public final override func becameReady(_ readiness: Readiness) {
        guard isOpen, isRegistered else { return }
        if isConnecting {
            guard readiness.contains(.write), finishConnect() else { return }
        }
        if readiness.contains(.write) || flushIsDue, outputBytes > 0 { flush() }
        if readiness.contains(.closed) { peerHasClosed = true }
        if readiness.contains(.closed) || readiness.isSuperset(of: [.read, .write]) { mayHaveEnded = true }
        if readiness.contains(.read) || mayHaveEnded { mayRead = true }
        guard isOpen else { return }
        if paused {
            noticeEndWhilePaused()
        } else if lendsFirst {
            lend()
            if isOpen, !paused, mayRead { loop.callAgain(self) }
        } else if mayRead {
            read()
        } else if !unread.isEmpty {
            lend()
        }
    }

    /// The descriptor's number, -1 if it has been closed.
    final var descriptorNumber: Int32 { openNumber }

    /// The answer to a doubt: what poll(2) says of the socket.
    final func settled(_ events: Int16) {
        isInDoubt = false
        guard isOpen, isRegistered else { return }
        if events & DoubtfulStreams.peerHasEnded != 0 { peerHasClosed = true }
        guard events & (Int16(POLLIN | POLLERR | POLLHUP) | DoubtfulStreams.peerHasEnded) != 0 else {
            mayHaveEnded = false
            return
        }
        mayRead = true
        if paused { noticeEndWhilePaused() } else if !lendsFirst { read() }
    }

    /// One read of at most one buffer, so that a busy stream can't keep the others waiting, and a second one where an
    /// end stands behind the bytes of the first.
    private func read(isSecond: Bool = false) {
        let number = openNumber
        guard number >= 0 else { return }
        let buffer = unsafe loop.readBuffer
        let count = FileDescriptor.retryingInterrupts { unsafe recv(number, buffer.baseAddress, buffer.count, 0) }
        if count < 0, errno == EAGAIN {
            mayRead = false
            mayHaveEnded = false
            if !isSecond, !unread.isEmpty { lend() }
            return
        }
        guard count > 0 else {
            mayRead = false
            return end(count == 0 ? .finished : .failed(SystemFailure(error: SystemError("recv"))))
        }
        mayRead = count == buffer.count || peerHasClosed
        let bytes = unsafe Span<UInt8>(
            _unsafeElements: UnsafeBufferPointer(
                start: buffer.baseAddress?.assumingMemoryBound(to: UInt8.self), count: count))
        if unread.isEmpty {
            let consumed = received(bytes)
            if isOpen, consumed < count { keep(bytes, from: consumed) }
        } else {
            keep(bytes, from: 0)
            lend()
        }
        guard isOpen else { return }
        if mayHaveEnded, !mayRead { loop.settle(self) }
        guard mayRead, !paused else { return }
        if isSecond || count == buffer.count { loop.callAgain(self) } else { read(isSecond: true) }
    }

    /// Puts `bytes[start...]` behind what waits to be lent.
    private func keep(_ bytes: Span<UInt8>, from start: Int) {
        var kept = unread
        unread = []
        kept.appendRest(of: bytes, from: start)
        unread = kept
    }

    /// Lends what was kept. It is moved out for the call, because the subclass may send, pause or close inside it.
    private func lend() {
        let lent = unread
        unread = []
        lendsFirst = false
        let consumed = received(lent.span)
        guard isOpen, consumed < lent.count else { return }
        unread = consumed == 0 ? lent : Array(lent[consumed...])
    }

    private func end(_ end: End) {
        mayHaveEnded = false
        if !unread.isEmpty, case .finished = end {
            // The last bytes may have been kept back for more that will never come; show them once without a pause.
            lend()
            guard isOpen else { return }
        }
        inputEnded(end)
    }

    private func noticeEndWhilePaused() {
        let number = openNumber
        guard number >= 0 else { return }
        if peerHasClosed {
            peerClosedWhilePaused()
        } else if mayHaveEnded {
            // libevent reports a reset as readable and writable; only the socket's own error tells it from data.
            let code = SocketCalls.pendingError(number)
            if code != 0 { inputEnded(.failed(SystemFailure(error: SystemError("recv", code: code)))) }
        }
    }

    private func finishConnect() -> Bool {
        let number = openNumber
        guard number >= 0 else { return false }
        let code = SocketCalls.pendingError(number)
        guard code == 0 else {
            inputEnded(.failed(SystemFailure(error: SystemError("connect", code: code))))
            return false
        }
        isConnecting = false
        connected()
        return isOpen
    }

    /// What was gathered goes before anything larger, and no copy of that has to wait behind it.
    private func sendGathered() {
        if !isConnecting { transmitQueue() }
    }

    private func transmitQueue() {
        flushIsDue = false
        while let (bytes, start) = output.first {
            let sent = transmit(bytes.span.extracting(start...), Span())
            output.drop(sent)
            outputBytes = output.count
            if sent < bytes.count - start { return }
        }
    }

    private func flush() {
        transmitQueue()
        guard outputBytes == 0 else { return }
        if finishesAfterOutput, openNumber >= 0 { _ = shutdown(openNumber, Int32(SHUT_WR)) }
        outputDrained()
    }

    /// One system call.
    ///
    /// - Returns: how many bytes the system took; a broken connection takes all: its input side reports the end.
    private func transmit(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Int {
        let number = openNumber
        guard number >= 0 else { return first.count + second.count }
        let sent = unsafe first.withUnsafeBufferPointer { first in
            unsafe second.withUnsafeBufferPointer { second in
                FileDescriptor.retryingInterrupts {
                    unsafe SocketCalls.send(number, first, second, joined: loop.joinBuffer)
                }
            }
        }
        if sent >= 0 { return sent }
        if errno == EAGAIN { return 0 }
        hasSendFailed = true
        return first.count + second.count
    }
}
