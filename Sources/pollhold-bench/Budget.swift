/// What one thing may cost at most, in instructions of the user's side and in allocations: ceilings that don't depend
/// on how fast or how busy a machine is. The figures stand a tenth above what was counted when they were last set;
/// whoever makes something dearer raises its ceiling in the same commit and says why.
enum Budget: String, CaseIterable {
    case firstPoll = "connection accepted, its poll parsed and held"
    case delivery = "delivery to a held poll"
    case poll = "next poll parsed and held"
    case line = "publish, JSON line"
    case request = "publish, HTTP"
    case proxied = "proxied GET"

    var instructions: Double {
        switch self {
        case .firstPoll: 40000
        case .delivery: 10000
        case .poll: 10000
        case .line: 10000
        case .request: 20000
        case .proxied: 40000
        }
    }

    var allocations: Double {
        switch self {
        case .firstPoll: 40
        case .delivery: 10
        case .poll: 20
        case .line: 20
        case .request: 30
        case .proxied: 40
        }
    }
}
