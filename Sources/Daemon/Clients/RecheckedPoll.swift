/// A client's poll on a recheck route: its request as it goes to the app each time, and the question under way.
import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Reactor

final class RecheckedPoll {
    let request: RecheckRequest
    /// Head and body for the app.
    let requestBytes: [UInt8]
    /// Of a request that is whole.
    let machine: ProxyExchange
    let method: Method
    /// The server that its client's cookie names, and whose number that is.
    private let wantedServer: Balancer.ServerNumber?
    private let group: UpstreamGroup
    /// What the client is told as X-Request-Id.
    let returnedRequestID: RequestID?
    /// In the table of polls that take each other's place.
    let place: SharedRechecks.Place
    /// In nanoseconds of the loop's clock.
    let receivedAt: Int64
    var question: ProxiedExchange?

    init(
        request: RecheckRequest, requestBytes: [UInt8], machine: ProxyExchange, method: Method,
        wantedServer: Balancer.ServerNumber?, in group: UpstreamGroup, returnedRequestID: RequestID?,
        place: SharedRechecks.Place,
        receivedAt: Int64
    ) {
        self.request = request
        self.requestBytes = requestBytes
        self.machine = machine
        self.method = method
        self.wantedServer = wantedServer
        self.group = group
        self.returnedRequestID = returnedRequestID
        self.place = place
        self.receivedAt = receivedAt
    }

    /// A reload may have made another group of servers, where the same number is another one's or nobody's.
    func wantedServer(in present: UpstreamGroup) -> Balancer.ServerNumber? {
        guard present !== group, let wantedServer else { return wantedServer }
        return present.names.firstIndex(of: group.names[wantedServer])
    }
}

/// A poll whose body is still to come.
final class PendingPoll {
    enum Route {
        case hold(HoldRoute)
        case recheck(RecheckRoute)
    }

    let route: Route
    let captures: PathPattern.Captures
    let client: RequestForwarding.Client
    let head: RequestHead
    var body: [UInt8] = []

    init(
        route: Route, captures: PathPattern.Captures, client: RequestForwarding.Client,
        head: borrowing RequestHead
    ) {
        self.client = client
        self.route = route
        self.captures = captures
        self.head = copy head
    }
}

/// A held poll whose place a later one may take. Only routes that say so pay for it.
final class HeldPlace {
    let key: [UInt8]
    let place: SharedRechecks.Place

    init(key: [UInt8], place: SharedRechecks.Place) {
        self.key = key
        self.place = place
    }
}

/// A question's answer that is withheld from the client until it is known whether it is new.
struct WithheldAnswer {
    /// nil: the app has not answered.
    var head: ResponseHead?
    var content: [UInt8] = []
}
