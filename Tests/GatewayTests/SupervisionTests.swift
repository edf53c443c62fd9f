import Gateway
import Testing

struct SupervisionTests {
    private func read(_ environment: [String: String]) -> Supervision {
        Supervision(environment: environment, processID: 7, pathBytesLimit: 107)
    }

    @Test func `without a manager nothing is told`() {
        let none = read(["NOTIFY_SOCKET": ""])
        #expect(none.place == nil)
        #expect(none.signInterval == nil)
        #expect(none.problems == [])
    }

    @Test func `a socket has a path or a name`() {
        #expect(read(["NOTIFY_SOCKET": "/run/notify"]).place == .path("/run/notify"))
        #expect(read(["NOTIFY_SOCKET": "@name/1"]).place == .abstract("name/1"))
    }

    @Test(arguments: ["vsock:2:1", "relative", "/", "@", "/" + String(repeating: "x", count: 107)])
    func `another address is named`(_ text: String) {
        let supervision = read(["NOTIFY_SOCKET": text])
        #expect(supervision.place == nil)
        #expect(supervision.problems.count == 1)
        #expect(supervision.problems.first?.contains(text) == true)
    }

    @Test func `a sign of life comes twice in the time that the manager waits`() {
        #expect(read(["WATCHDOG_USEC": "30000000"]).signInterval == .seconds(15))
        #expect(read(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"]).signInterval == .seconds(15))
    }

    @Test func `a watchdog of another process is none of ours`() {
        let supervision = read(["WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"])
        #expect(supervision.signInterval == nil)
        #expect(supervision.problems == [])
    }

    @Test(arguments: ["0", "1", "-5", "soon", "99999999999999999999"]) func `a strange time is named`(_ text: String) {
        let supervision = read(["WATCHDOG_USEC": text])
        #expect(supervision.signInterval == nil)
        #expect(supervision.problems == ["WATCHDOG_USEC is \(text): expected microseconds, more than one"])
    }

    @Test func `each message has its lines`() {
        #expect(ServiceMessage.ready(status: "serving").text == "READY=1\nSTATUS=serving")
        #expect(
            ServiceMessage.reloading(microseconds: 12).text == "RELOADING=1\nMONOTONIC_USEC=12\nSTATUS=reloading")
        #expect(
            ServiceMessage.stopping(within: .milliseconds(1500), status: "draining").text
                == "STOPPING=1\nEXTEND_TIMEOUT_USEC=2500000\nSTATUS=draining")
        #expect(ServiceMessage.alive.text == "WATCHDOG=1")
    }

    @Test func `a status is one line and short, so it says nothing else`() {
        let text = ServiceMessage.ready(status: "a\nMAINPID=1\n" + String(repeating: "x", count: 5000)).text
        #expect(text.split(separator: "\n").count == 2)
        #expect(text.hasPrefix("READY=1\nSTATUS=a MAINPID=1 x"))
        #expect(text.utf8.count == "READY=1\nSTATUS=".utf8.count + ServiceMessage.statusBytesLimit)
    }
}
