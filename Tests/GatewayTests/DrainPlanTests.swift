import Gateway
import Polling
import Testing

/// How the process leaves.
struct DrainPlanTests {
    private func steps(notice: Duration, spread: Duration = .seconds(5), limit: Duration = .seconds(30)) -> [String] {
        var plan = DrainPlan()
        var steps: [String] = []
        while let (step, lasting) = plan.next(notice: notice, spread: spread, limit: limit) {
            steps.append("\(step) \(lasting.map { "\($0)" } ?? "-")")
            #expect(plan.isLeaving)
        }
        return steps
    }

    @Test func `without a notice it drains at once, then cuts, then there is nothing left to do`() {
        var plan = DrainPlan()
        #expect(!plan.isLeaving)
        #expect(plan.next(notice: .zero, spread: .seconds(5), limit: .seconds(30))?.step == .release(over: .seconds(5)))
        #expect(plan.isLeaving)
        #expect(steps(notice: .zero) == ["release(over: 5.0 seconds) 30.0 seconds", "cut -"])
    }

    @Test func `with one it says so first`() {
        #expect(
            steps(notice: .seconds(7))
                == ["announce 7.0 seconds", "release(over: 5.0 seconds) 30.0 seconds", "cut -"])
    }

    @Test func `half of the time stays for what the answers lead to`() {
        #expect(steps(notice: .zero, limit: .seconds(4)).first == "release(over: 2.0 seconds) 4.0 seconds")
    }

    private func departures(_ count: Int, over spread: Duration) -> [Int64] {
        var departure = Departure(Array(0..<count), over: spread, now: Moment(nanoseconds: 0))
        var moments: [Int64] = []
        while let moment = departure.nextMoment {
            #expect(departure.next(now: Moment(nanoseconds: moment.nanoseconds - 1)) == nil)
            #expect(departure.next(now: moment) == moments.count)
            moments.append(moment.nanoseconds)
        }
        return moments
    }

    @Test func `a crowd is spread evenly over the time`() {
        let moments = departures(1000, over: .seconds(5))
        #expect(moments.count == 1000)
        #expect(moments == (0..<1000).map { Int64($0) * 5_000_000 })
    }

    @Test func `a few are not made to wait for it`() {
        #expect(departures(3, over: .seconds(600)) == [0, 10_000_000, 20_000_000])
        #expect(departures(0, over: .seconds(5)) == [])
    }

    @Test func `after a pause all whose turn has come are answered`() {
        var departure = Departure([7, 8, 9], over: .seconds(3), now: Moment(nanoseconds: 0))
        let late = Moment(nanoseconds: 15_000_000)
        #expect(departure.next(now: late) == 7)
        #expect(departure.next(now: late) == 8)
        #expect(departure.next(now: late) == nil)
        #expect(departure.nextMoment == Moment(nanoseconds: 20_000_000))
    }
}
