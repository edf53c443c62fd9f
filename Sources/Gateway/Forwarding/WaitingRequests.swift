/// Requests that wait for a server, in the order in which they came: some for one server, the others for any.
import DequeModule

struct WaitingRequests {
    private struct Entry {
        let sequence: UInt64
        let ticket: Balancer.Ticket
    }

    /// What is in a queue and not in here has been cancelled.
    private var waiting: [Balancer.Ticket: UInt64] = [:]
    private var general = Deque<Entry>()
    /// By server.
    private var pinned: [Deque<Entry>]
    private var lastSequence: UInt64 = 0

    init(servers: Int) { pinned = Array(repeating: [], count: servers) }

    var count: Int { waiting.count }

    mutating func append(_ ticket: Balancer.Ticket, for server: Int?) {
        precondition(waiting[ticket] == nil, "a request waits once")
        lastSequence += 1
        waiting[ticket] = lastSequence
        let entry = Entry(sequence: lastSequence, ticket: ticket)
        if let server { pinned[server].append(entry) } else { general.append(entry) }
    }

    /// - Returns: whether it waited. O(1); its entry is passed over later.
    mutating func remove(_ ticket: Balancer.Ticket) -> Bool {
        guard waiting.removeValue(forKey: ticket) != nil else { return false }
        if waiting.isEmpty {
            general = []
            for server in pinned.indices { pinned[server] = [] }
        } else if general.count + pinned.reduce(0, { $0 + $1.count }) > 2 * waiting.count + 64 {
            compact()
        }
        return true
    }

    /// Takes out the one that has waited longest and may go to `server`.
    mutating func next(for server: Int) -> Balancer.Ticket? {
        Self.dropCancelled(&general, waiting)
        Self.dropCancelled(&pinned[server], waiting)
        let takesPinned: Bool
        switch (general.first, pinned[server].first) {
        case (nil, nil): return nil
        case (_, nil): takesPinned = false
        case (nil, _): takesPinned = true
        case (let left?, let right?): takesPinned = right.sequence < left.sequence
        }
        let entry = takesPinned ? pinned[server].removeFirst() : general.removeFirst()
        waiting[entry.ticket] = nil
        return entry.ticket
    }

    /// Who waited for this server takes any. O(waiting).
    mutating func unpin(from server: Int) {
        guard !pinned[server].isEmpty else { return }
        general = Deque((Array(general) + pinned[server]).sorted { $0.sequence < $1.sequence })
        pinned[server] = []
    }

    private static func dropCancelled(_ queue: inout Deque<Entry>, _ waiting: [Balancer.Ticket: UInt64]) {
        while let first = queue.first, waiting[first.ticket] != first.sequence { queue.removeFirst() }
    }

    private mutating func compact() {
        let waiting = waiting
        general.removeAll { waiting[$0.ticket] != $0.sequence }
        for server in pinned.indices { pinned[server].removeAll { waiting[$0.ticket] != $0.sequence } }
    }
}
