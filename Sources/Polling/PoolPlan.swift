/// Changes of the pool in two steps, for one that is written down: what they will be is planned, then written, and
/// only then carried out. So nobody is ever shown what a crash could take back.
///
/// Whoever plans has to be the only one that gives numbers until the plan is carried out or given up. Look-ups, holds
/// and expiry may come between, and a plan's own messages displace others: what a channel has lost since it was planned
/// is noted when the plan is carried out, and written with the departures that it came from.
package struct PoolPlan: Sendable {
    /// One thing that takes a number, or that has taken it before.
    package enum Step: Sendable {
        /// - Parameter lostBefore: what the channel had lost when this was planned, at most.
        case message(PublishItem, id: UInt64, lostBefore: UInt64)
        /// Its key has been seen, with this id.
        case repeated(id: UInt64)
        case signal(ChannelName, number: UInt64)
        case deletion(ChannelName, number: UInt64)
        /// It takes a number for each channel that is still there; none above `last`.
        case giveBack([TakenPosition], last: UInt64)
    }

    /// What becomes of one change.
    package enum Verdict: Sendable {
        case steps(Range<Int>)
        case unknownChannel
        case refused(PoolError)
    }

    package fileprivate(set) var steps: [Step] = []
    /// One a change, in their order.
    package fileprivate(set) var verdicts: [Verdict] = []
    /// The newest number when all of it is carried out.
    package fileprivate(set) var lastNumber: UInt64
    /// Keys of this plan's own messages.
    fileprivate var keys: [[UInt8]: UInt64] = [:]

    /// - Parameter lastNumber: the pool's newest number.
    package init(lastNumber: UInt64) { self.lastNumber = lastNumber }

    /// The plan knows the channel; only its own messages and deletions are asked for.
    fileprivate func publishes(to name: ChannelName) -> Bool {
        steps.contains { step in
            switch step {
            case .message(let item, _, _): item.channel == name
            case .deletion(let other, _): other == name
            case .repeated, .signal, .giveBack: false
            }
        }
    }
}

extension MessagePool {
    /// Puts a change behind those that the plan has.
    package func add(_ change: PoolChange, to plan: inout PoolPlan) {
        let start = plan.steps.count
        switch change {
        case .publish(let items):
            if let error = refusal(of: items) { return plan.verdicts.append(.refused(error)) }
            for item in items { add(item, to: &plan) }
        case .signal(let name):
            plan.lastNumber += 1
            plan.steps.append(.signal(name, number: plan.lastNumber))
        case .delete(let name):
            guard names[name] != nil || plan.publishes(to: name) else { return plan.verdicts.append(.unknownChannel) }
            plan.lastNumber += 1
            plan.steps.append(.deletion(name, number: plan.lastNumber))
        case .giveBack(let taken):
            plan.lastNumber += UInt64(taken.count)
            plan.steps.append(.giveBack(taken, last: plan.lastNumber))
        }
        plan.verdicts.append(.steps(start..<plan.steps.count))
    }

    private func add(_ item: PublishItem, to plan: inout PoolPlan) {
        if let key = item.key, let id = keys.id(of: key) ?? plan.keys[key] {
            return plan.steps.append(.repeated(id: id))
        }
        plan.lastNumber += 1
        if let key = item.key { plan.keys[key] = plan.lastNumber }
        let lost = names[item.channel].flatMap { entries[Int($0)]?.lostThrough } ?? forgottenThrough
        plan.steps.append(.message(item, id: plan.lastNumber, lostBefore: lost))
    }

    /// Does what was planned. Steps are carried out in their order, each once.
    package mutating func carryOut(
        _ step: PoolPlan.Step, now: Moment, calls: inout [WakeUpCall]
    ) -> PublishReceipt {
        newestMoment = max(newestMoment, now)
        switch step {
        case .message(let item, let id, let lostBefore):
            precondition(id == lastNumber + 1, "what is carried out is what was planned")
            let receipt = append(item, &calls)
            if forgottenThrough > lostBefore { noteInheritedLoss(of: item.channel, beyond: lostBefore) }
            return receipt
        case .repeated(let id): return PublishReceipt(id: id, waiting: 0)
        case .signal(let name, let number):
            precondition(number == lastNumber + 1, "what is carried out is what was planned")
            let (receipt, own) = signal(name, now: now)
            calls += own
            return receipt
        case .deletion(let name, let number):
            precondition(number == lastNumber + 1, "what is carried out is what was planned")
            // The entry may have left the table since; what was deleted is lost all the same.
            calls += empty(entry(named: name))
            return PublishReceipt(id: number, waiting: 0)
        case .giveBack(let taken, let last):
            calls += giveBack(taken)
            precondition(lastNumber <= last, "what is carried out is what was planned")
            lastNumber = last
            return PublishReceipt(id: last, waiting: 0)
        }
    }

    /// The channel may have left the table since its message was planned and come back with it: then what stands beside
    /// the message in the file is less than the channel has lost by now, and what stood for the channel itself goes.
    private mutating func noteInheritedLoss(of name: ChannelName, beyond lostBefore: UInt64) {
        guard let index = names[name], let entry = entries[Int(index)] else { return }
        guard entry.lostThrough > lostBefore, !entry.isLossNoted else { return }
        modify(index) { $0.isLossNoted = true }
        departures?.note(.through(entry.lostThrough), of: entry.name)
    }
}
