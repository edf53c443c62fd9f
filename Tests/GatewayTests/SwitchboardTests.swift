import ByteText
import ConfigFile
import Gateway
import HTTP1
import Polling
import Testing

/// Sharing of answers, and the order of one connection's events. What is lost or doubled is the simulation's business.
final class SwitchboardTests {
    var pool = MessagePool(
        limits: PoolLimits(messagesPerChannel: 10, age: .seconds(60), memoryBytes: 1 << 20, channels: 10))
    var switchboard = Switchboard(epoch: Epoch(random: 1))
    let worker = WorkerNumber(0)
    var now = Moment(nanoseconds: 0)

    static func style(_ route: HoldRoute = .trusted, keepsAlive: Bool = true) -> AnswerStyle {
        var manner = RequestManner()
        manner.keepsAlive = keepsAlive
        return AnswerStyle(route: route, manner: manner, origin: .none)
    }

    static func name(_ text: String) throws -> ChannelName { try ChannelName(Array(text.utf8).span) }

    /// How often the pool was asked is what sharing saves.
    func follow(_ first: Switchboard.Action, on number: Int, questions: inout Int) -> PollAnswer? {
        var action = first
        while true {
            switch action {
            case .answer(let answer): return answer
            case .hold: return nil
            case .lookUp(let channels, let position, let limit, let hold):
                questions += 1
                let found = pool.lookUp(channels: channels, from: position, limit: limit, holdFor: hold ? worker : nil)
                action = switchboard.found(found, on: number, now: now)
            case .take, .takeHeld: preconditionFailure("no route here takes")
            case .lookUpHeld(let channels, let after, let limit):
                questions += 1
                action = switchboard.found(
                    pool.lookUp(held: channels, after: after, limit: limit), on: number, now: now)
            }
        }
    }

    func poll(_ number: Int, _ channels: [String], style: AnswerStyle = style(), mayHold: Bool = true) throws
        -> PollAnswer?
    {
        let request = PollRequest(
            channels: try channels.map(Self.name), position: .now, style: style, mayHold: mayHold)
        var questions = 0
        let action = switchboard.received(request, on: number, now: now)
        return follow(action, on: number, questions: &questions)
    }

    func publish(_ channel: String, _ payload: String = "1") throws {
        let item = PublishItem(channel: try Self.name(channel), payload: Array(payload.utf8), kind: .json)
        let (_, calls) = try pool.publish([item], now: now)
        for call in calls { switchboard.noticed(call.channel) }
    }

    func wakeAll() -> (answers: [Int: PollAnswer], questions: Int) {
        var answers: [Int: PollAnswer] = [:]
        var questions = 0
        while let (number, action) = switchboard.nextWoken() {
            answers[number] = follow(action, on: number, questions: &questions)
        }
        return (answers, questions)
    }

    @Test func `holds that would be told the same share one question and one answer`() throws {
        for number in 0..<100 { #expect(try poll(number, ["a"]) == nil) }
        try publish("a")
        let (answers, questions) = wakeAll()
        #expect(answers.count == 100)
        #expect(questions == 1)
        #expect(Set(answers.values.map(\.bytes)).count == 1)
    }

    @Test func `holds that differ in manner, channels or position are told their own`() throws {
        _ = try poll(0, ["a"])
        _ = try poll(1, ["a"], style: Self.style(keepsAlive: false))
        _ = try poll(2, ["a", "b"])
        try publish("c")
        _ = try poll(3, ["a"])
        try publish("a")
        let (answers, questions) = wakeAll()
        #expect(answers.count == 4)
        // The one that came later has another position, and the same answer is right for it.
        #expect(questions == 3)
        #expect(answers[0]?.bytes == answers[3]?.bytes)
        #expect(answers[1]?.keepsAlive == false)
        #expect(answers[0]?.bytes != answers[1]?.bytes)
    }

    @Test func `a hold that ended before its wake is passed over`() throws {
        _ = try poll(0, ["a"])
        _ = try poll(1, ["a"])
        try publish("a")
        switchboard.peerClosed(0)
        _ = try poll(0, ["b"])
        let (answers, _) = wakeAll()
        #expect(answers.keys.sorted() == [1])
        #expect(switchboard.heldCount == 1)
    }

    @Test func `a poll that may not be held is answered at once`() throws {
        let answer = try poll(0, ["a"], mayHold: false)
        #expect(answer?.release == .timeout)
        #expect(switchboard.heldCount == 0)
    }

    @Test func `holds end in the order of their deadlines`() throws {
        _ = try poll(0, ["a"])
        now = Moment(nanoseconds: 5_000_000_000)
        _ = try poll(1, ["a"])
        #expect(switchboard.nextDeadline == Moment(nanoseconds: 90_000_000_000))
        now = Moment(nanoseconds: 90_000_000_000)
        let first = switchboard.nextExpired(now: now)
        #expect(first?.number == 0)
        var questions = 0
        if let first { #expect(follow(first.action, on: 0, questions: &questions)?.release == .timeout) }
        #expect(switchboard.nextExpired(now: now) == nil)
    }

    @Test func `a drain tells that the connection ends`() throws {
        _ = try poll(0, ["a"])
        var questions = 0
        switchboard.closeWithAnswers()
        let action = switchboard.finish(0, .drain)
        let answer = follow(action, on: 0, questions: &questions)
        #expect(answer?.keepsAlive == false)
        let told = text(answer?.bytes ?? [])
        #expect(told.contains("\nConnection: close\n"))
    }
}
