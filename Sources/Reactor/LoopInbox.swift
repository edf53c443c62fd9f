/// The door through which other threads hand something to a loop: a locked list and an eventfd that wakes it.
import CLibevent
import Glibc

/// The side that any thread may use. Posting costs one lock, and one system call if the box was empty.
package final class LoopInbox<Item: Sendable>: Sendable {
    private let items = Guarded<[Item]>([])
    fileprivate let wake: FileDescriptor

    /// - Throws: `SystemError` when no descriptor is left.
    package init() throws(SystemError) {
        let number = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        guard number >= 0 else { throw SystemError("eventfd") }
        wake = FileDescriptor(owning: number)
    }

    /// Puts `item` in and wakes the loop that reads the box.
    package func post(_ item: Item) {
        let wasEmpty = items.withLock { items in
            items.append(item)
            return items.count == 1
        }
        if wasEmpty {
            // It can only fail when the counter is full, and then the loop is awake already.
            _ = eventfd_write(wake.number, 1)
        }
    }

    fileprivate func takeAll() -> [Item] {
        var count: eventfd_t = 0
        unsafe _ = eventfd_read(wake.number, &count)
        // Reset the counter first: an item posted behind this line finds the list empty or rings again.
        return items.withLock { items in
            let taken = items
            items = []
            return taken
        }
    }
}

/// The loop's side of a box.
package final class LoopInboxSource<Item: Sendable>: EventSource {
    private let inbox: LoopInbox<Item>
    private let received: ([Item]) -> Void

    /// - Parameter received: called on the loop with all items that came since the last call, in order.
    package init(loop: EventLoop, inbox: LoopInbox<Item>, received: @escaping ([Item]) -> Void) {
        self.inbox = inbox
        self.received = received
        super.init(loop: loop, descriptor: inbox.wake.number, interests: [.read, .persistent])
        register()
    }

    package override func becameReady(_ readiness: Readiness) {
        let items = inbox.takeAll()
        if !items.isEmpty { received(items) }
    }
}
