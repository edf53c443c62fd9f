/// What is measured: the rows of the table, each with its unit and with what is promised of it (DESIGN §9).
enum Quantity: String, CaseIterable {
    case idleMemory = "idle process, resident"
    case heldMemory = "user memory per held poll"
    case kernelMemory = "kernel memory per held poll, one end"
    case holding = "CPU per poll accepted and held"
    case delivery = "CPU per delivery"
    case spread = "one message to all polls, time to the last"
    case returning = "CPU per re-poll after a fan-out"
    case ownDelivery = "CPU per delivery, of the load client itself"
    case idleProcessor = "CPU per second while polls are held"
    case delayMedian = "publish to delivered, one subscriber, median"
    case delayTail = "publish to delivered, one subscriber, p99"
    case publishing = "publishes per CPU second, pipelined"
    case smallRequest = "proxied small GETs per CPU second"
    case largeBody = "proxied 1 MiB bodies per CPU second"
    case messageSize = "CPU per delivery by size of the message"
    case channelCount = "publishes per CPU second by number of channels"

    var unit: String {
        switch self {
        case .idleMemory: "MiB"
        case .heldMemory, .kernelMemory: "B"
        case .holding, .delivery, .returning, .ownDelivery, .delayMedian, .delayTail, .messageSize: "µs"
        case .spread, .idleProcessor: "ms"
        case .publishing, .smallRequest, .largeBody, .channelCount: "/s"
        }
    }

    var digits: Int {
        switch self {
        case .heldMemory, .kernelMemory, .publishing, .smallRequest, .largeBody, .channelCount: 0
        case .spread, .delayMedian, .delayTail: 1
        default: 2
        }
    }

    var goals: [Goal] {
        switch self {
        case .idleMemory: [.atMost(20)]
        case .heldMemory: [.atMost(1024)]
        case .delivery: [.atMostTimes(1.15, .bareLoop), .atMostTimes(0.6, .nchan)]
        case .returning: [.atMostTimes(1.3, .bareLoop)]
        case .delayTail: [.atMostTimes(2, .bareLoop)]
        case .publishing: [.atLeastTimes(2, .nchan)]
        case .smallRequest, .largeBody: [.atLeastTimes(1, .nginx), .atLeastTimes(0.9, .haproxy)]
        default: []
        }
    }
}

/// A promise about Pollhold's figure.
enum Goal {
    case atMost(Double)
    case atMostTimes(Double, PeerKind)
    case atLeastTimes(Double, PeerKind)
}
