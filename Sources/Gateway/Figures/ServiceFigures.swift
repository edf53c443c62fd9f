/// The whole daemon in numbers at one moment, and their two forms: JSON for people and scripts, Prometheus text.
import ByteText
import JSONText
package import Polling

package struct ServiceFigures: Sendable {
    package var version: String
    package var processID: Int
    package var workers: Int
    package var uptime: Duration
    package var isDraining: Bool
    package var epoch: Epoch
    package var configurationPath: String
    package var reloads: ReloadFigures
    package var droppedLogLines: UInt64
    package var pool: PoolFigures
    package var traffic: WorkerFigures
    package var servers: [ServerFigures]
    /// Requests that wait for a server.
    package var waitingRequests: Int
    /// nil: the pool is in memory alone.
    package var store: StoreFigures?
    package var memory = MemoryPressure()

    package init(
        version: String, processID: Int, workers: Int, uptime: Duration, isDraining: Bool, epoch: Epoch,
        configurationPath: String, reloads: ReloadFigures, droppedLogLines: UInt64, pool: PoolFigures,
        traffic: WorkerFigures, servers: [ServerFigures] = [], waitingRequests: Int = 0,
        store: StoreFigures? = nil
    ) {
        self.version = version
        self.processID = processID
        self.workers = workers
        self.uptime = uptime
        self.isDraining = isDraining
        self.epoch = epoch
        self.configurationPath = configurationPath
        self.reloads = reloads
        self.droppedLogLines = droppedLogLines
        self.pool = pool
        self.traffic = traffic
        self.servers = servers
        self.waitingRequests = waitingRequests
        self.store = store
    }
}

/// One of the app's servers at one moment.
package struct ServerFigures: Equatable, Sendable {
    /// As the configuration has it.
    package let name: String
    /// Requests go there as a matter of course.
    package let isIn: Bool
    /// Exchanges under way.
    package let active: Int
    /// Until its responses began.
    package let times: Histogram

    package init(name: String, isIn: Bool, active: Int, times: Histogram = Histogram()) {
        self.name = name
        self.isIn = isIn
        self.active = active
        self.times = times
    }
}

/// One number with its names in both forms.
struct Figure {
    enum Kind: String {
        case counter
        case gauge
    }

    /// In the JSON, e.g. `pool.messages`.
    let key: String
    /// In Prometheus text, with its unit and `_total` for a counter, e.g. `pollhold_pool_messages`.
    let metric: String
    /// e.g. `reason="timeout"`; empty for none.
    var label = ""
    let kind: Kind
    let prose: String
    let value: UInt64
}
