/// How many questions to the app are under way on one recheck route, of all workers; who finds no room is told when
/// there is some.
///
/// The law: *a permit is never lost.* It is either counted here or in the hands of one worker, which uses it or gives
/// it back; given back while somebody waits it goes into the hands of that one.
package import Polling

package struct QuestionGate: Sendable {
    private var taken = 0
    /// In the order in which they asked, each once.
    private var waiting: [WorkerNumber] = []

    package init() {}

    /// - Returns: false: there is no room; the worker will be handed a permit.
    package mutating func take(_ worker: WorkerNumber, limit: Int) -> Bool {
        guard taken >= limit else {
            taken += 1
            return true
        }
        if !waiting.contains(worker) { waiting.append(worker) }
        return false
    }

    /// - Returns: the worker whose permit it now is; nil if nobody waits.
    package mutating func giveBack(limit: Int) -> WorkerNumber? {
        precondition(taken > 0, "a permit is given back once")
        // After a reload with a smaller limit there may be too many.
        if taken <= limit, !waiting.isEmpty { return waiting.removeFirst() }
        taken -= 1
        return nil
    }

    /// Questions under way, and permits on their way.
    package var count: Int { taken }
}
