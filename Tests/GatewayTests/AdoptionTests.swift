import ConfigFile
import Gateway
import Testing

/// Which descriptor that a service manager gives is for which listener.
struct AdoptionTests {
    private func configuration() throws -> Configuration {
        try Configuration.load(
            text: """
                listen: [127.0.0.1:80, "[0::1]:80", "unix:/run/clients"]
                upstream: http://127.0.0.1:9
                control: { socket: /run/control }
                admin: { listen: 127.0.0.1:9101 }
                """, file: "pollhold.yaml", environment: [:])
    }

    private func place(_ text: String) throws -> ListenPlace {
        if text.hasPrefix("unix:") { return .unix(path: String(text.dropFirst(5))) }
        let configuration = try Configuration.load(
            text: "listen: \"\(text)\"\nupstream: http://127.0.0.1:9\n", file: "pollhold.yaml", environment: [:])
        return try #require(ListenPlace(configuration.listen[0].address))
    }

    /// Descriptors from 3 on that listen at these places.
    private func listening(_ texts: String...) throws -> [AdoptionPlan.Given] {
        try texts.enumerated().map {
            AdoptionPlan.Given(number: Int32(3 + $0.offset), name: nil, form: .listening(try place($0.element)))
        }
    }

    private func problems(_ given: [AdoptionPlan.Given]) throws -> [String] {
        do throws(ActivationError) {
            _ = try AdoptionPlan(given, for: configurationForProblems())
            return []
        } catch {
            return error.problems
        }
    }

    private func configurationForProblems() throws(ActivationError) -> Configuration {
        do { return try configuration() } catch { throw ActivationError("\(error)") }
    }

    private static let expected =
        "; expected a socket that listens where the configuration does: 127.0.0.1:80 (listen), [::1]:80 (listen), "
        + "unix:/run/clients (listen), unix:/run/control (control.socket), 127.0.0.1:9101 (admin.listen)"

    @Test func `each listener gets the socket with its address, in whatever order they come`() throws {
        let given = try listening(
            "127.0.0.1:9101", "unix:/run/control", "[::1]:80", "unix:/run/clients", "127.0.0.1:80")
        let plan = try AdoptionPlan(given, for: configuration())
        #expect(
            plan.numbers == [
                try place("127.0.0.1:9101"): [3], .unix(path: "/run/control"): [4], try place("[::1]:80"): [5],
                .unix(path: "/run/clients"): [6], try place("127.0.0.1:80"): [7],
            ])
    }

    @Test func `a listener without a socket is bound as ever`() throws {
        #expect(try AdoptionPlan([], for: configuration()).numbers.isEmpty)
        #expect(try AdoptionPlan(listening("[::1]:80"), for: configuration()).numbers == [try place("[::1]:80"): [3]])
    }

    @Test func `a port that is bound several times has several sockets, another listener one`() throws {
        let plan = try AdoptionPlan(listening("127.0.0.1:80", "127.0.0.1:80"), for: configuration())
        #expect(plan.numbers == [try place("127.0.0.1:80"): [3, 4]])
        #expect(
            try problems(listening("127.0.0.1:9101", "127.0.0.1:9101")) == [
                "descriptor 4 of the service manager: 127.0.0.1:9101, where descriptor 3 listens too; "
                    + "expected one socket for admin.listen"
            ])
    }

    @Test(arguments: ["127.0.0.1:81", "0.0.0.0:80", "[::]:80", "unix:/run/other", "unix:@/run/clients"])
    func `one that nobody wants is named`(text: String) throws {
        #expect(
            try problems(listening("[::1]:80", text)) == [
                "descriptor 4 of the service manager: \(text)\(Self.expected)"
            ])
    }

    @Test(arguments: [
        (AdoptionPlan.Form.notOpen, "it is not open"), (.noSocket, "it is no socket"),
        (.foreignFamily, "it is neither a socket of TCP nor a Unix socket"),
        (.noStream, "a socket for datagrams or packets"),
        (.notListening, "a connection, or a socket that does not listen"),
    ])
    func `what is no listening socket is named, and all of them at once`(form: AdoptionPlan.Form, text: String) throws {
        let given = [
            AdoptionPlan.Given(number: 3, name: "web", form: form),
            AdoptionPlan.Given(number: 4, name: nil, form: form),
        ]
        #expect(
            try problems(given) == [
                "descriptor 3 (web) of the service manager: \(text)\(Self.expected)",
                "descriptor 4 of the service manager: \(text)\(Self.expected)",
            ])
    }

    // MARK: The environment

    private func read(_ environment: [String: String]) throws(ActivationError) -> GivenDescriptors {
        try GivenDescriptors(environment: environment, processID: 7)
    }

    @Test func `descriptors are counted from three, and have names`() throws {
        let given = try read(["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web:"])
        #expect(given.numbers == 3..<5)
        #expect(given.name(of: 3) == "web")
        #expect(given.name(of: 4) == "")
        #expect(try read(["LISTEN_PID": "7", "LISTEN_FDS": "1"]).name(of: 3) == nil)
    }

    @Test(arguments: [
        [:], ["LISTEN_FDS": "2"], ["LISTEN_PID": "7"], ["LISTEN_PID": "8", "LISTEN_FDS": "2"],
        ["LISTEN_PID": "8", "LISTEN_FDS": "many"], ["LISTEN_PID": "7", "LISTEN_FDS": "0"],
    ])
    func `nothing is given, or not to this process`(environment: [String: String]) throws {
        #expect(try read(environment).numbers.isEmpty)
    }

    @Test(arguments: [
        (["LISTEN_PID": "me", "LISTEN_FDS": "2"], "LISTEN_PID is me; expected the number of a process"),
        (["LISTEN_PID": "7", "LISTEN_FDS": "-1"], "LISTEN_FDS is -1; expected the number of descriptors"),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "2147483645"],
            "LISTEN_FDS is 2147483645; expected the number of descriptors"
        ),
        (
            ["LISTEN_PID": "7", "LISTEN_FDS": "2", "LISTEN_FDNAMES": "web"],
            "LISTEN_FDNAMES is web; expected 2 names with a colon between them"
        ),
    ])
    func `variables that no manager sets are named`(environment: [String: String], text: String) {
        #expect(throws: ActivationError(text)) { try read(environment) }
    }
}
