/// The service manager that has started us, as far as it wants to hear of us.
import Gateway
import Logging
import Polling
import Reactor

final class Supervisor {
    /// Messages that wait for room in the manager's queue; a reload has two.
    private static let waitingLimit = 8

    private let sender: DatagramSender?
    private let log: Logger
    /// In their order. A manager that is busy takes them later: without READY=1 it would take the start for a failure.
    private var waiting: [ServiceMessage] = []
    private var hasFailed = false
    private var isRetired = false
    /// Nanoseconds between two signs of life; nil: none are wanted.
    let signInterval: Int64?

    init(_ supervision: Supervision, log: Logger) {
        self.log = log
        for problem in supervision.problems { log.warning("the service manager is not told: \(problem)") }
        guard let place = supervision.place else {
            (sender, signInterval) = (nil, nil)
            return
        }
        do throws(SystemError) {
            sender = try DatagramSender(to: DatagramSender.Place(place))
            signInterval = supervision.signInterval?.wholeNanoseconds
        } catch {
            log.warning("the service manager is not told: \(error)")
            (sender, signInterval) = (nil, nil)
        }
    }

    /// Says it if somebody listens. A manager that does not take it is no reason to serve worse.
    func tell(_ message: ServiceMessage) {
        guard sender != nil, !isRetired else { return }
        // A sign of life that is late says nothing.
        if message == .alive, !waiting.isEmpty { return }
        if waiting.count == Self.waitingLimit { waiting.removeFirst() }
        waiting.append(message)
        tellWaiting()
    }

    /// Says nothing any more but what waits: another process does.
    func retire() { isRetired = true }

    /// Says what the manager had no room for. To be called now and then.
    func tellWaiting() {
        while let sender, let message = waiting.first {
            do throws(SystemError) {
                guard try sender.send(message.text) else { return }
                hasFailed = false
            } catch {
                if !hasFailed { log.warning("the service manager does not hear: \(error)") }
                hasFailed = true
            }
            waiting.removeFirst()
        }
    }
}

extension DatagramSender.Place {
    init(_ place: Supervision.Place) {
        switch place {
        case .path(let path): self = .path(path)
        case .abstract(let name): self = .abstract(name)
        }
    }
}
