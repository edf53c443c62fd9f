import Foundation
import Testing

/// A page that only knows how to poll: it asks again and again for what is new since the last that it has seen. It
/// works the same with no Pollhold in front, with Pollhold and no route for it, with a route that observes, and with
/// one that holds; what differs is how often the app is asked.
struct PageTests {
    enum Front: String, CaseIterable {
        case none
        case routeOff
        case observed
        case held

        /// A configuration for this front; nil: the page asks the app itself.
        func configuration(_ port: UInt16) -> String? {
            switch self {
            case .none: nil
            case .routeOff:
                """
                listen: 127.0.0.1:0
                upstream: http://127.0.0.1:\(port)
                control: { socket: SOCKET }
                """
            case .observed: RecheckTests.configuration(port, "observe: true")
            case .held: RecheckTests.configuration(port)
            }
        }
    }

    /// What a page has shown, and the fields that came with it, as often as it has polled.
    struct Shown {
        var messages: [String] = []
        var fields: Set<String> = []
        var polls = 0
    }

    /// The page's loop, as `setInterval` runs it: one poll after the other, with a pause between them.
    static func show(_ count: Int, port: UInt16) throws -> Shown {
        var shown = Shown()
        let client = try TestClient(port: port)
        let end = Date().addingTimeInterval(60)
        while shown.messages.count < count {
            guard Date() < end else { throw TestFailure("the page has shown \(shown.messages) and no more") }
            let answer = try client.request("GET", "/updates?room=1&since=\(shown.messages.count)")
            #expect(answer.status == 200)
            shown.fields.insert(answer["content-type"] ?? "none")
            shown.polls += 1
            shown.messages += try JSONDecoder().decode([String].self, from: Data(answer.text.utf8))
            poll(nil, 0, 5)
        }
        return shown
    }

    @Test(arguments: Front.allCases) func `a page shows the same messages in the same order whatever is in front`(
        front: Front
    ) throws {
        let app = try RoomApp()
        let pollhold = try front.configuration(app.port).map { try PollholdProcess($0) }
        let port = pollhold?.port ?? app.port
        let sent = (0..<30).map { "message-\($0)" }
        let sender = Thread {
            for text in sent {
                let client = try? TestClient(port: port)
                let body = Array("room=1&text=\(text)".utf8)
                _ = try? client?.request("POST", "/send", body: body, fields: RuleTests.form)
                poll(nil, 0, 20)
            }
        }
        sender.start()
        let shown = try Self.show(sent.count, port: port)
        #expect(shown.messages == sent)
        #expect(shown.fields == ["application/json"])
        if front == .held {
            // Each poll brought something, but those that ended with a message that another poll had seen already.
            #expect(app.polls <= 2 * sent.count + 2, "\(app.polls) questions for \(shown.polls) polls")
        } else {
            #expect(app.polls == shown.polls)
        }
    }
}
