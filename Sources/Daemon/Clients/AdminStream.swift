/// A connection on the admin listener: a load balancer that asks for health, or Prometheus that asks for metrics.
import Gateway
import HTTP1
import Reactor

final class AdminStream: ServerStream {
    /// Of the process. They come in also when clients have taken all places, and so are bounded by themselves, within
    /// the descriptors that are kept free.
    static let connectionsLimit = 32

    private var isCounted = false

    /// Counts the connection, or closes it at once.
    func admit() {
        isCounted = worker.server.takeAdminConnection(limit: Self.connectionsLimit)
        if isCounted {
            worker.adminConnections += 1
            return
        }
        worker.figures.adminConnectionsRefused += 1
        end()
    }

    override func headReceived(_ head: borrowing RequestHead) {
        do throws(ControlError) {
            switch try AdminQuestion(head) {
            case .health(let question): answer(ControlReply.health(question, worker.server.health))
            case .metrics: answer(ControlReply.metrics(worker.statusFigures))
            }
        } catch {
            answer(ControlReply.error(status: error.status, reason: error.reason, allow: error.allow))
        }
    }

    override func refuse(_ error: HTTPError) {
        answer(ControlReply.error(status: error.status, reason: error.reason))
    }

    private func answer(_ reply: ControlReply) {
        worker.output.reset()
        reply.write(for: manner, date: worker.switchboard.date, into: &worker.output)
        send(shared: worker.output.bytes)
        if phase == .exchange { exchangeEnded(keepsAlive: manner.keepsAlive) } else { linger() }
        watchOutput()
    }

    override func outputDrained() { answersTaken() }

    override func handed(_ grants: [UInt64: HandedGrant]) -> HandedConnection? {
        handed(.admin, holding: nil)
    }

    func goOn(as connection: HandedConnection) { if isOpen { begin(as: connection) } }

    override func ended() {
        guard isCounted else { return }
        isCounted = false
        worker.adminConnections -= 1
        worker.server.giveBackAdminConnection()
    }

    /// It is asked while a drain lasts, on connections old and new; the worker ends without waiting for it.
    override func drain() {}
}
