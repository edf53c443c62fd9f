/// Single measurements of one server: each starts it, does one thing to it many times, and ends it.
import Foundation
import Histogram
import Reactor

/// What a crowd costs a server.
struct HoldMeasurement {
    /// MiB.
    var idleResident = 0.0
    /// Bytes per held poll, of the server's processes and of the kernel.
    var heldBytes = 0.0
    var kernelBytes = 0.0
    /// Microseconds of processor time per poll.
    var holding = 0.0
    var delivery = 0.0
    var returning = 0.0
    /// The same of the load client.
    var ownDelivery = 0.0
    /// Milliseconds of processor time in one second in which nothing happens.
    var idleProcessor = 0.0
    /// Milliseconds from a publish to the last answer.
    var spread = 0.0

    /// Lets a crowd be held, then answers it, and lets it come back, several times.
    ///
    /// - Parameter waves: how often all of them are answered.
    static func take(
        _ kind: PeerKind, polls: Int, waves: Int, messageBytes: Int, workers: Int = 1
    ) throws -> HoldMeasurement {
        var result = HoldMeasurement()
        let loop = try BenchLoop()
        let origin = kind == .pushpin ? try Origin() : nil
        let peer = try RunningPeer(kind, workers: workers, origin: origin)
        defer { peer.stop() }
        loop.settle(peer.tree)
        result.idleResident = Double(peer.tree.residentBytes) / 1_048_576
        let memory = peer.tree.memoryBytes
        let kernel = ProcessTree.slabBytes + ProcessTree.tcpBufferBytes
        let start = peer.tree.processorTime
        let crowd = Crowd(loop, peer.address, request: kind.poll(channel: "c0"))
        defer { crowd.close() }
        try crowd.open(polls, pace: kind.pace)
        loop.pause(kind.timeToFirstHold)
        loop.settle(peer.tree)
        let count = Double(polls)
        result.holding = Double(peer.tree.processorTime - start) / count / 1000
        result.heldBytes = Double(peer.tree.memoryBytes - memory) / count
        // Both ends of each connection are on this machine, and alike.
        result.kernelBytes = Double(ProcessTree.slabBytes + ProcessTree.tcpBufferBytes - kernel) / count / 2
        let idle = peer.tree.processorTime
        loop.pause(1)
        result.idleProcessor = Double(peer.tree.processorTime - idle) / 1e6
        try result.fanOut(peer, crowd, loop, waves: waves, messageBytes: messageBytes)
        guard max(crowd.lost, crowd.failures) <= Int(count * kind.toleratedLoss) else {
            throw BenchError("\(crowd.lost) connections were lost, \(crowd.failures) answers were no 200")
        }
        return result
    }

    private mutating func fanOut(
        _ peer: RunningPeer, _ crowd: Crowd, _ loop: BenchLoop, waves: Int, messageBytes: Int
    ) throws {
        var publisher = try PublishClient(loop, peer.publishAddress, peer.kind.publishManner)
        defer { publisher.close() }
        let message = peer.kind.publish(channel: "c0", data: String(repeating: "x", count: messageBytes))
        let own = ProcessTree(roots: [getpid()])
        var polls = 0.0
        for _ in 0..<waves {
            let start = peer.tree.processorTime
            let ownStart = ProcessTree.processorTime(of: own.members[0])
            publisher = try publisher.next(loop, peer)
            crowd.expect()
            publisher.publish(message)
            try loop.run(until: "\(crowd.clients.count) answers, not \(crowd.answers)", atMost: 60) {
                crowd.answers + crowd.lost >= crowd.clients.count && publisher.isAnswered
            }
            ownDelivery += Double(ProcessTree.processorTime(of: own.members[0]) - ownStart)
            polls += Double(crowd.answers)
            loop.settle(peer.tree)
            let delivered = peer.tree.processorTime
            delivery += Double(delivered - start)
            spread += Double(crowd.spread) / 1e6 / Double(waves)
            crowd.request = peer.kind.poll(channel: "c0", after: crowd.sample)
            crowd.pollAgain(pace: peer.kind == .pushpin ? peer.kind.pace : nil)
            if peer.kind == .pushpin { loop.pause(peer.kind.timeToFirstHold) }
            loop.settle(peer.tree)
            returning += Double(peer.tree.processorTime - delivered)
        }
        delivery /= polls * 1000
        returning /= polls * 1000
        ownDelivery /= polls * 1000
    }
}

/// Publishes to one subscriber, one at a time.
///
/// - Returns: microseconds from the publish to the answer, the median and the 99th percentile.
func measureDelay(_ kind: PeerKind, publishes: Int) throws -> (median: Double, tail: Double) {
    let loop = try BenchLoop()
    let origin = kind == .pushpin ? try Origin() : nil
    let peer = try RunningPeer(kind, origin: origin)
    defer { peer.stop() }
    let crowd = Crowd(loop, peer.address, request: kind.poll(channel: "c0"))
    defer { crowd.close() }
    try crowd.open(1)
    var publisher = try PublishClient(loop, peer.publishAddress, kind.publishManner)
    defer { publisher.close() }
    let message = kind.publish(channel: "c0", data: String(repeating: "x", count: 100))
    var delays = Histogram<UInt32>(highestTrackableValue: 60_000_000_000)
    let publishes = kind == .pushpin ? publishes / 20 : publishes
    for number in 0..<publishes {
        // The poll is held and the server waits again.
        loop.pause(number == 0 ? kind.timeToFirstHold : kind.timeToHold)
        publisher = try publisher.next(loop, peer)
        crowd.expect()
        publisher.publish(message)
        try loop.run(until: "the answer", atMost: 10) { crowd.answers + crowd.lost > 0 && publisher.isAnswered }
        // The first ones find nothing in the processor's caches.
        if number >= publishes / 20 { delays.record(UInt64(crowd.spread)) }
        crowd.request = kind.poll(channel: "c0", after: crowd.sample)
        crowd.pollAgain()
    }
    guard crowd.lost == 0 else { throw BenchError("the subscriber was cut off") }
    return (Double(delays.valueAtPercentile(50)) / 1000, Double(delays.valueAtPercentile(99)) / 1000)
}

/// Publishes to many channels in turn, without waiting for answers.
///
/// - Returns: publishes per second of processor time.
func measurePublishes(_ kind: PeerKind, channels: Int, count: Int, byHTTP: Bool = false) throws -> Double {
    let loop = try BenchLoop()
    let peer = try RunningPeer(kind)
    defer { peer.stop() }
    let data = String(repeating: "x", count: 100)
    let publisher = try PublishClient(loop, peer.publishAddress, byHTTP ? .http : kind.publishManner)
    defer { publisher.close() }
    var requests: [UInt8] = []
    for number in 0..<count {
        let channel = "room.\(number % channels)"
        requests +=
            byHTTP
            ? PeerKind.publishByHTTP(channel: channel, data: data) : kind.publish(channel: channel, data: data)
    }
    loop.settle(peer.tree)
    let start = peer.tree.processorTime
    publisher.publish(requests, count: count)
    try loop.run(until: "answers to \(count) publishes", atMost: 120) { publisher.isAnswered }
    guard publisher.answers == count, publisher.failures == 0 else {
        let last = String(decoding: publisher.lastAnswer, as: UTF8.self)
        throw BenchError("\(publisher.answers) answers to \(count) publishes, \(publisher.failures) bad: \(last)")
    }
    loop.settle(peer.tree)
    return Double(count) / (Double(peer.tree.processorTime - start) / 1e9)
}

/// Requests through a proxy on connections that stay open on both sides.
///
/// - Returns: requests per second of processor time.
func measureProxy(
    _ kind: PeerKind, bodyBytes: Int, requests: Int, connections: Int, workers: Int = 1
) throws -> Double {
    let loop = try BenchLoop()
    let origin = try Origin()
    let peer = try RunningPeer(kind, workers: workers, origin: origin)
    defer { peer.stop() }
    let fields =
        "Host: bench.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\n"
        + "Accept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n"
    let request = Array("GET /\(bodyBytes) HTTP/1.1\r\n\(fields)\r\n".utf8)
    let clients = try RequestClients(loop, peer.address, request: request, connections: connections)
    defer { clients.close() }
    _ = try clients.run(max(connections, requests / 10))
    loop.settle(peer.tree)
    let start = peer.tree.processorTime
    _ = try clients.run(requests)
    let spent = peer.tree.processorTime - start
    guard clients.failures == 0 else { throw BenchError("\(clients.failures) of \(requests) requests failed") }
    return Double(requests) / (Double(spent) / 1e9)
}
