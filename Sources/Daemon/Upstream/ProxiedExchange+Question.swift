/// An exchange as a recheck's question: its response is withheld until it is known whether it is new, and relayed with
/// all that the app said, or thrown away.
import ByteText
import Gateway
import HTTP1

extension ProxiedExchange {
    /// - Returns: false if it goes to the client now.
    func withholds(_ head: borrowing ResponseHead) -> Bool {
        let status = head.status
        // Interim responses would be told to a client that may never see the final one.
        if head.isInterim { return true }
        if authorizing != nil, status != 101 {
            withheld?.head = copy head
            return true
        }
        guard let poll = asking, let downstream, status != 101 else { return false }
        withheld?.head = copy head
        guard downstream.mayBeNothing(status, of: poll) else {
            relayIfAsked(downstream.questionAnswered(poll, isWhole: false))
            return true
        }
        return true
    }

    /// - Returns: false if the bytes go to the client now.
    func withholds(_ bytes: Span<UInt8>) -> Bool {
        if let authorizing { return withholds(bytes, authorizing) }
        guard let poll = asking, let downstream, let withheld else { return false }
        guard withheld.content.count + bytes.count > poll.request.route.answerBytesLimit else {
            self.withheld?.content.append(bytes)
            return true
        }
        // Certainly not "nothing new".
        relayIfAsked(downstream.questionAnswered(poll, isWhole: false))
        return self.withheld != nil
    }

    /// A refusal may have a body of any length; what lets a client in says all in its head.
    private func withholds(_ bytes: Span<UInt8>, _ asked: AskedPoll) -> Bool {
        guard let head = withheld?.head, !(200...299).contains(head.status) else { return true }
        withheld?.content.append(bytes)
        if let content = withheld?.content, content.count > CapturedContent.bytesLimit {
            relayIfAsked(downstream?.authorizationAnswered(asked, head) ?? false)
        }
        return true
    }

    /// The response is complete and was withheld.
    ///
    /// - Returns: true if it is new, and on its way to the client.
    func judge() -> Bool {
        if let authorizing, let head = withheld?.head {
            relayIfAsked(downstream?.authorizationAnswered(authorizing, head) ?? false)
            return withheld == nil
        }
        guard let poll = asking, let downstream else { return false }
        relayIfAsked(downstream.questionAnswered(poll, isWhole: true))
        return withheld == nil
    }

    /// Sends what was withheld; what follows goes straight to the client.
    private func relayIfAsked(_ isAsked: Bool) {
        guard isAsked, let withheld, let head = withheld.head else { return }
        self.withheld = nil
        worker.output.reset()
        responseHead(head)
        flushToDownstream()
        if !withheld.content.isEmpty { pass(withheld.content.span) }
        flushToDownstream()
    }

    /// Nobody hears the response. The machine is told all the same, for it knows whether the connection may stay.
    func finishUnheard() {
        guard let head = withheld?.head else { return }
        worker.output.reset()
        _ = machine.response(head, into: &worker.output)
        worker.output.reset()
        downstream = nil
    }

    /// The question is over: its permit is another's.
    @discardableResult
    func endQuestion() -> RecheckedPoll? {
        guard let poll = asking else { return nil }
        asking = nil
        worker.questionEnded(poll.request.route.path, limit: poll.request.route.concurrency)
        return withheld == nil ? nil : poll
    }
}
