/// One comparison: what is done to each server in each round, and which figures come of it.
import Foundation
import Reactor

/// How much of everything.
struct ComparisonSizes {
    /// Polls in the crowds; the last is the large one.
    var crowds: [Int]
    var waves = 2
    /// Publishes to one subscriber.
    var delays: Int
    var publishes: Int
    var channels = 10_000
    var requests: Int
    var bodies: Int
    /// Bytes of messages, and the crowd that gets them.
    var messageBytes: [Int]
    var messageCrowd = 1000
    var channelCounts: [Int]

    static func full(_ crowd: Int) -> ComparisonSizes {
        ComparisonSizes(
            crowds: [1000, 5000, crowd], delays: 2000, publishes: 100_000, requests: 40_000, bodies: 1000,
            messageBytes: [100, 1024, 16384, 262_144], channelCounts: [1, 100, 10_000, 100_000])
    }

    static func quick(_ crowd: Int) -> ComparisonSizes {
        ComparisonSizes(
            crowds: [crowd], delays: 300, publishes: 30_000, requests: 10_000, bodies: 200,
            messageBytes: [100, 16384], channelCounts: [1, 10_000])
    }
}

struct Comparison {
    enum Part: String, CaseIterable {
        case hold
        case delay
        case publish
        case proxy
        case growth
    }

    let peers: [PeerKind]
    let sizes: ComparisonSizes
    let report: Report

    func runRound(_ parts: [Part]) throws {
        for part in parts {
            switch part {
            case .hold: each(\.holdsPolls) { try hold($0, polls: sizes.crowds.last ?? 1000) }
            case .delay: each(\.holdsPolls) { try delay($0) }
            case .publish:
                each {
                    $0 == .pollhold || $0 == .nchan
                } _: {
                    try publish($0)
                }
            case .proxy: each(\.proxies) { try proxy($0) }
            case .growth: try growth()
            }
        }
    }

    /// A server that fails is named in the report, and the others go on.
    private func each(_ condition: (PeerKind) -> Bool, _ body: (PeerKind) throws -> Void) {
        for kind in peers where condition(kind) {
            do { try body(kind) } catch {
                let failure = "\(kind.rawValue): \(error)"
                print(failure)
                report.failures.append(failure)
            }
        }
    }

    // MARK: Holding and fan-out

    private func hold(_ kind: PeerKind, polls: Int) throws {
        let measured = try HoldMeasurement.take(
            kind, polls: min(polls, kind.pollsLimit), waves: sizes.waves, messageBytes: 100)
        report.add(.idleMemory, kind, measured.idleResident)
        report.add(.heldMemory, kind, measured.heldBytes)
        report.add(.kernelMemory, kind, measured.kernelBytes)
        report.add(.holding, kind, measured.holding)
        report.add(.delivery, kind, measured.delivery)
        report.add(.spread, kind, measured.spread)
        report.add(.returning, kind, measured.returning)
        report.add(.ownDelivery, kind, measured.ownDelivery)
        report.add(.idleProcessor, kind, measured.idleProcessor)
    }

    // MARK: One subscriber

    private func delay(_ kind: PeerKind) throws {
        let (median, tail) = try measureDelay(kind, publishes: sizes.delays)
        report.add(.delayMedian, kind, median)
        report.add(.delayTail, kind, tail)
    }

    // MARK: Publishing

    private func publish(_ kind: PeerKind) throws {
        let rate = try measurePublishes(kind, channels: sizes.channels, count: sizes.publishes)
        report.add(.publishing, kind, rate)
        guard kind == .pollhold else { return }
        let byHTTP = try measurePublishes(kind, channels: sizes.channels, count: sizes.publishes, byHTTP: true)
        report.add(.publishing, "pollhold, HTTP", byHTTP)
    }

    // MARK: Proxying

    private func proxy(_ kind: PeerKind) throws {
        let small = try measureProxy(kind, bodyBytes: 100, requests: sizes.requests, connections: 64)
        report.add(.smallRequest, kind, small)
        report.add(
            .largeBody, kind, try measureProxy(kind, bodyBytes: 1 << 20, requests: sizes.bodies, connections: 16))
    }

    // MARK: How cost grows

    private func growth() throws {
        for crowd in sizes.crowds.dropLast() {
            each {
                $0 == .pollhold || $0 == .bareLoop
            } _: { kind in
                let measured = try HoldMeasurement.take(kind, polls: crowd, waves: sizes.waves, messageBytes: 100)
                let name = "\(kind.rawValue), \(crowd) polls"
                report.add(.heldMemory, name, measured.heldBytes)
                report.add(.delivery, name, measured.delivery)
                report.add(.idleProcessor, name, measured.idleProcessor)
            }
        }
        each {
            $0 == .pollhold
        } _: { kind in
            let two = try HoldMeasurement.take(
                kind, polls: sizes.crowds.last ?? 1000, waves: sizes.waves, messageBytes: 100, workers: 2)
            report.add(.delivery, "pollhold, 2 workers", two.delivery)
            report.add(.spread, "pollhold, 2 workers", two.spread)
            report.add(.returning, "pollhold, 2 workers", two.returning)
            for count in sizes.channelCounts {
                let rate = try measurePublishes(kind, channels: count, count: max(sizes.publishes, count))
                report.add(.channelCount, "pollhold, \(count)", rate)
            }
        }
        for bytes in sizes.messageBytes {
            each {
                $0 == .pollhold || $0 == .bareLoop
            } _: { kind in
                let measured = try HoldMeasurement.take(
                    kind, polls: sizes.messageCrowd, waves: sizes.waves, messageBytes: bytes)
                report.add(.messageSize, "\(kind.rawValue), \(bytes) B", measured.delivery)
            }
        }
    }
}
