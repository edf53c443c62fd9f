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
        case .firstPoll: 19900
        case .delivery: 3250
        case .poll: 14500
        case .line: 11200
        case .request: 22400
        case .proxied: 32000
        }
    }

    var allocations: Double {
        switch self {
        case .firstPoll: 9.5
        case .delivery: 0.5
        case .poll: 3.3
        case .line: 6.5
        case .request: 16.5
        case .proxied: 2.8
        }
    }
}
