/// The table itself, in the order of the manual.
extension Directive {
    static let anyDuration = Duration.milliseconds(10)...Duration.seconds(30 * 86400)
    private static let anySize = 1...(1 << 40)
    static let anyCount = 1...1_000_000_000

    package static let all = upToHolds + recheck + afterRoutes

    private static let upToHolds: [Directive] = [
        Directive(
            "listen", .listenAddresses, default: "127.0.0.1:8080",
            "Where clients come in. Port 0 lets the system choose."),
        Directive("listen[].address", .listenAddress, "The address, of an entry that says more."),
        Directive(
            "listen[].proxy_protocol", .boolean, default: "false",
            "Every connection begins with a PROXY header, version 1 or 2."),
        Directive(
            "listen[].scheme", .choice(["http", "https"]), default: "http",
            "What clients speak; https where TLS ends in front of this address."),

        Directive(
            "trusted", .addresses, "Peers that are believed when they say on whose behalf they ask. Default: nobody."),
        Directive("forwarding", .mapping, "What the application is told about the client."),
        Directive(
            "forwarding.send", .choice(["both", "x-forwarded", "forwarded", "none"]), default: "both",
            "The fields that tell it."),
        Directive(
            "forwarding.believe", .choice(["x-forwarded", "forwarded"]), default: "x-forwarded",
            "The fields by which trusted peers tell."),
        Directive(
            "request_id", .choice(["off", "app", "client"]), default: "app",
            "Whether each request gets an X-Request-Id, and whether the client sees it too."),

        Directive("upstream", .server, "The application that stands behind: its address, or a mapping."),
        Directive("upstream.server", .server, "The application's address, if it is one server."),
        Directive("upstream.servers", .list, "The application's servers, if they are several."),
        Directive("upstream.servers[].address", .server, "The server's address."),
        Directive(
            "upstream.servers[].weight", .integer(1...1000), default: "1", "Its share of the requests, by others'."),
        Directive(
            "upstream.servers[].connections", .integer(anyCount), word: "none",
            "Requests that it gets at a time; without it upstream.connections."),
        Directive(
            "upstream.connections", .integer(anyCount), default: "none", word: "none",
            "Requests that one server gets at a time; further ones wait."),
        Directive(
            "upstream.balance", .choice(["round_robin", "least_connections"]), default: "round_robin",
            "Which server is next."),
        Directive("upstream.sticky", .mapping, "Clients stay with the server that answered them first."),
        Directive("upstream.sticky.cookie", .text, default: "pollhold_server", "The cookie that says which it is."),
        Directive("upstream.queue", .mapping, "Requests that wait while all servers are full."),
        Directive(
            "upstream.queue.length", .integer(0...1_000_000), default: "1000",
            "How many wait at most; one more is answered 503."),
        Directive(
            "upstream.queue.timeout", .duration(anyDuration), default: "10s",
            "How long one waits; then it is answered 503."),
        Directive("upstream.failures", .mapping, "When a server is left out because requests to it fail."),
        Directive(
            "upstream.failures.count", .integer(1...1000), default: "3", "Failures in a row that leave a server out."),
        Directive("upstream.failures.pause", .duration(anyDuration), default: "10s", "How long it is left out."),
        Directive("upstream.health", .mapping, "Checks of the servers. Without it there are none."),
        Directive("upstream.health.path", .text, "What a check asks for; 200 to 399 is a pass."),
        Directive("upstream.health.interval", .duration(anyDuration), default: "5s", "Between two checks."),
        Directive("upstream.health.timeout", .duration(anyDuration), default: "2s", "For the answer of a check."),
        Directive(
            "upstream.health.rise", .integer(1...100), default: "2", "Passes in a row that bring a server back."),
        Directive("upstream.health.fall", .integer(1...100), default: "3", "Fails in a row that take it out."),
        Directive(
            "upstream.nameservers", .nameservers, "Who resolves the servers' names; without it the system's servers."),
        Directive(
            "upstream.retries", .integer(0...64), default: "2",
            "Further servers that are tried when a connection can't be opened."),
        Directive(
            "upstream.upgrade", .protocols, default: "websocket", "Protocols that a connection may be switched to."),
        Directive(
            "upstream.connect_timeout", .duration(anyDuration), default: "5s",
            "For the application to accept a connection."),
        Directive(
            "upstream.response_timeout", .duration(anyDuration), default: "60s", "For the first byte of its response."),
        Directive(
            "upstream.idle_timeout", .duration(anyDuration), default: "60s", "Between two pieces of its response."),
        Directive("upstream.keep_alive", .mapping, "Connections to the application that wait for the next request."),
        Directive(
            "upstream.keep_alive.connections", .integer(0...100_000), default: "64",
            "How many wait at most, per server and worker."),
        Directive("upstream.keep_alive.timeout", .duration(anyDuration), default: "60s", "How long one waits."),
        Directive("upstream.host", .text, "Sent to the application as Host, instead of what the client sent."),

        Directive("control", .mapping, "The socket for publishers and operators. Without it there is none."),
        Directive("control.socket", .filePath, default: "/run/pollhold/control.sock", "The socket's path."),
        Directive("control.mode", .mode, default: "0660", "Permission bits of the socket: who may publish."),
        Directive("control.owner", .text, "Owner of the socket, by name or number."),
        Directive("control.group", .text, "Group of the socket, by name or number."),
        Directive("control.body", .size(1...(1 << 30)), default: "1MiB", "The largest body of a publish request."),
        Directive(
            "control.line", .size(1...(1 << 30)), default: "1MiB", "The longest line of the JSON-lines protocol."),

        Directive("admin", .mapping, "Where load balancers and Prometheus ask, beside the control socket."),
        Directive("admin.listen", .listenAddress, "Its address; nothing can be changed there."),
        Directive(
            "admin.public", .boolean, default: "false",
            "Also an address that is neither this machine's own nor of a private network."),

        Directive("workers", .integer(1...64), default: "auto", word: "auto", "Threads; auto is one per core."),
        Directive("user", .text, "User to become once the sockets are bound."),
        Directive("group", .text, "Group to become; without it the user's own."),

        Directive(
            "pool", .mapping, "The message pool. What goes over a bound leaves, oldest first, and is told as a gap."),
        Directive("pool.messages", .integer(anyCount), default: "100", "Messages kept per channel."),
        Directive("pool.age", .duration(anyDuration), default: "10m", "How long a message is kept."),
        Directive("pool.memory", .size((64 << 10)...(1 << 40)), default: "256MiB", "Memory of all messages."),
        Directive(
            "pool.channels", .integer(1...100_000_000), default: "100000", "Empty channels whose losses are remembered."
        ),
        Directive(
            "pool.idempotency_keys", .integer(0...100_000_000), default: "10000",
            "Keys of publishes that are remembered."),
        Directive(
            "pool.store", .filePath,
            "A directory in which the pool is written down. Without it the pool is in memory alone."),
        Directive(
            "pool.sync", .choice(["os", "full"]), default: "os",
            "What a publish with a store survives: os, the end of the process; full, that of the machine."),

        Directive(
            "routes", .list,
            "What is done with which path, tried in order. What no route takes goes to the application."),
        Directive("routes[].path", .pathPattern, "The path; {name} is one part of it, /** at the end any rest."),
        Directive("routes[].proxy", .mapping, "Pass requests on, as if no route had taken them."),
        Directive(
            "routes[].proxy.request_body", .size(anySize), word: "none",
            "A larger request body is answered 413; without it limits.request_body."),
        Directive(
            "routes[].proxy.response_timeout", .duration(anyDuration),
            "For the first byte of the response; without it upstream.response_timeout."),
        Directive(
            "routes[].proxy.idle_timeout", .duration(anyDuration),
            "Between two pieces of the response; without it upstream.idle_timeout."),
        Directive("routes[].hold", .mapping, "Hold polls here and answer them from the pool."),
        Directive("routes[].hold.channels", .templates, "The channels of a poll."),
        Directive(
            "routes[].hold.allow", .patterns, "Channels that may be read here. Required where the client has a say."),
        Directive("routes[].hold.authorize", .mapping, "Ask the application who may poll here."),
        Directive("routes[].hold.authorize.path", .text, "What it is asked, with the poll's query and fields."),
        Directive("routes[].hold.authorize.credential", .template, "What tells clients apart."),
        Directive(
            "routes[].hold.authorize.cache", .duration(.zero...Duration.seconds(86400)), default: "1m",
            "How long its answer counts."),
        Directive("routes[].hold.authorize.logout", .requests, "Requests whose client is asked for again."),
        Directive(
            "routes[].hold.timeout", .duration(.milliseconds(100)...Duration.seconds(86400)), default: "90s",
            "How long a poll is held."),
        Directive(
            "routes[].hold.start", .choice(["oldest", "now"]), default: "oldest",
            "Where a poll without a cursor begins."),
        Directive("routes[].hold.batch", .mapping, "How much one answer carries."),
        Directive("routes[].hold.batch.messages", .integer(1...1_000_000), default: "100", "Messages in one answer."),
        Directive(
            "routes[].hold.batch.bytes", .size(1...(1 << 30)), default: "1MiB",
            "Bytes of data in one answer; one message always goes."),
        Directive(
            "routes[].hold.format", .choice(["json", "array", "raw", "jsonp"]), default: "json",
            "The shape of an answer."),
        Directive("routes[].hold.empty", .mapping, "The answer of a hold that ended without a message."),
        Directive("routes[].hold.empty.status", .integer(200...299), "Its status; 200, or 204 in the raw format."),
        Directive("routes[].hold.empty.headers", .fields, "Fields added to it."),
        Directive("routes[].hold.empty.body", .text, "Its body, instead of the format's own."),
        Directive("routes[].hold.cors", .mapping, "Reading from other origins."),
        Directive("routes[].hold.cors.origins", .origins, "Who may."),
        Directive("routes[].hold.cors.credentials", .boolean, default: "false", "With the user's cookies."),
        Directive(
            "routes[].hold.cors.max_age", .duration(.zero...Duration.seconds(86400)), default: "10m",
            "How long a browser keeps a preflight's answer."),
        Directive("routes[].hold.channels_limit", .integer(1...1000), default: "32", "Channels of one poll at most."),
        Directive(
            "routes[].hold.after_parameter", .text, default: "after", "The query parameter that carries the cursor."),
        Directive("routes[].hold.methods", .methods, default: "GET", "POST, where polls are POST requests."),
        Directive("routes[].hold.supersede", .template, "Whose new poll takes the place of the held one."),
        Directive(
            "routes[].hold.cursor", .choice(["client", "cookie", "take"]), default: "client",
            "Who knows how far a client has come."),
        Directive(
            "routes[].hold.cookie", .text, default: "pollhold_cursor",
            "The cookie that carries the cursor, if one does."),
        Directive(
            "routes[].hold.callback_parameter", .text, default: "callback",
            "The query parameter that names the function of a JSONP answer."),
        Directive("routes[].hold.template", .mapping, "The shape of a whole answer, in the place of a format."),
        Directive(
            "routes[].hold.template.type", .text, default: "application/json",
            "Its Content-Type, which says how what is put in is escaped."),
        Directive("routes[].hold.template.answer", .text, "The answer, with {messages} in it."),
        Directive("routes[].hold.template.message", .text, "One message; without it {data}."),
        Directive("routes[].hold.template.separator", .text, "What stands between two messages; without it a comma."),
    ]

    private static let afterRoutes: [Directive] = [
        Directive("publish", .list, "What of the ordinary traffic is a publish."),
        Directive(
            "publish[].when", .requests, "Which requests; without it all that change something."),
        Directive(
            "publish[].status", .statuses, default: "200-399", "Which answers of the application they must have."),
        Directive("publish[].channels", .templates, "The channels."),
        Directive("publish[].data", .data, default: "none", "What is published; none: a signal."),
        Directive("publish[].from", .addresses, "Clients that may send what is answered here."),
        Directive("publish[].answer", .integer(200...299), "Answer with this status instead of passing it on."),

        Directive("limits", .mapping, "Bounds of requests and connections."),
        Directive(
            "limits.request_line", .size(8000...(1 << 20)), default: "16KiB", "A longer request line is answered 414."),
        Directive("limits.field", .size(256...(1 << 20)), default: "16KiB", "A longer header field is answered 431."),
        Directive("limits.head", .size(8192...(4 << 20)), default: "64KiB", "A longer head is answered 431."),
        Directive("limits.header_lines", .integer(10...10_000), default: "100", "More header fields are answered 431."),
        Directive(
            "limits.request_body", .size(anySize), default: "none", word: "none",
            "A larger request body is answered 413."),
        Directive(
            "limits.connections", .integer(anyCount), default: "auto", word: "auto",
            "Connections of all kinds; auto is what descriptors allow."),
        Directive(
            "limits.polls", .integer(anyCount), default: "auto", word: "auto",
            "Polls held at once; more are answered 503. Auto: the limit of connections."),

        Directive(
            "limits.requests", .integer(anyCount), default: "none", word: "none",
            "Requests of one connection; the last is told that it ends."),
        Directive(
            "limits.connections_per_client", .integer(anyCount), default: "none", word: "none",
            "Connections of one client address; one more is answered 429."),
        Directive(
            "limits.polls_per_client", .automaticInteger(anyCount), default: "auto", word: "none",
            "Polls of one client; one more is answered 429. Auto: 20, but any number from this machine."),
        Directive(
            "limits.polls_per_channel", .integer(anyCount), default: "none", word: "none",
            "Polls held on one channel; one more is answered 429."),
        Directive(
            "limits.memory", .size((16 << 20)...(1 << 40)), default: "none", word: "none",
            "Memory of the process at which requests are answered 503; polls in hold stay."),
        Directive("limits.client", .template, "Whom limits of polls count as one client. Default: an address."),
        Directive(
            "limits.rate", .size(1...(1 << 30)), default: "256B", word: "none",
            "Bytes a second that a client must at least send of a body, or take of a response."),

        Directive("timeouts", .mapping, "How long a client may take. A held poll is under none of these."),
        Directive(
            "timeouts.head", .duration(anyDuration), default: "10s",
            "For a whole request head, however slowly it comes."),
        Directive("timeouts.body", .duration(anyDuration), default: "30s", "Between two pieces of a request body."),
        Directive("timeouts.write", .duration(anyDuration), default: "30s", "For a client that does not read."),
        Directive("timeouts.keep_alive", .duration(anyDuration), default: "75s", "Between two requests."),
        Directive("timeouts.tunnel", .duration(anyDuration), default: "1h", "Of silence in a tunnel."),
        Directive(
            "timeouts.drain", .duration(anyDuration), default: "30s", "For running requests to finish at the end."),
        Directive(
            "timeouts.drain_notice", .duration(.zero ... .seconds(600)), default: "0s",
            "For which health says so before a drain begins."),
        Directive(
            "timeouts.drain_spread", .duration(.zero ... .seconds(600)), default: "5s",
            "Over which a drain answers held polls; half of `drain` at most."),
        Directive(
            "timeouts.upgrade", .duration(anyDuration), default: "1h",
            "For requests and tunnels under way to finish after an upgrade, in the process that began them."),
        Directive(
            "timeouts.rate", .duration(anyDuration), default: "30s", "Over which the rate of a request body is taken."),

        Directive("log", .mapping, "Logs."),
        Directive(
            "log.level", .choice(["debug", "info", "warning", "error"]), default: "info",
            "The least that the operational log tells."),
        Directive("log.format", .choice(["text", "json"]), default: "text", "Its form; it goes to standard error."),
        Directive("log.access", .logTarget, default: "off", "Where the access log goes."),
        Directive("log.access_format", .choice(["combined", "json", "text"]), default: "combined", "Its form."),
    ]
}
