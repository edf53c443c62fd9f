import Foundation

/// The app of a soak: what a request's path asks for, from a small answer to a broken one.
enum SoakApp {
    static let largeBytes = 2 << 20

    static func make() throws -> TestApp {
        try TestApp(handler: { connection, _ in
            while let head = connection.readHead() {
                guard answer(head, connection) else { return }
            }
        })
    }

    /// - Returns: whether the connection can carry another request.
    private static func answer(_ head: String, _ connection: TestApp.Connection) -> Bool {
        switch String(head.split(separator: " ")[1].prefix { $0 != "?" }) {
        case "/small":
            return connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
        case "/large":
            if head.hasPrefix("GET") { return sendLarge(connection, pause: 0) }
            return connection.send(TestApp.plain("\(connection.readBody(of: head).count)"))
        case "/drip":
            return sendLarge(connection, size: 2000, pause: 2)
        case "/send":
            _ = connection.readBody(of: head)
            return connection.send("HTTP/1.1 204 No Content\r\n\r\n")
        case "/updates":
            // Never anything new, so that each poll is held until its time is up.
            return connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]")
        case "/ws":
            connection.send(TunnelTests.switching)
            while true {
                let bytes = connection.receive()
                if bytes.isEmpty || !connection.send(bytes) { return false }
            }
        case "/wait":
            _ = connection.readToEnd()
            return false
        default:
            connection.send(AppFaultTests.deaths[FaultBench.number(in: head)].said)
            if head.contains("X-Way: breaks") { connection.breakOff() }
            return false
        }
    }

    private static func sendLarge(_ connection: TestApp.Connection, size: Int = largeBytes, pause: Int32) -> Bool {
        connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        var sent = 0
        let step = pause > 0 ? 100 : 65536
        while sent < size {
            let count = min(step, size - sent)
            guard
                connection.send(
                    Array("\(String(count, radix: 16))\r\n".utf8) + StreamingTests.part(at: sent, count)
                        + Array("\r\n".utf8))
            else { return false }
            sent += count
            if pause > 0 { poll(nil, 0, pause) }
        }
        return connection.send("0\r\n\r\n")
    }
}
