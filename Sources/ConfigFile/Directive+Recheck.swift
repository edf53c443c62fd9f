/// The rows of recheck routes.
extension Directive {
    static let recheck: [Directive] = [
        Directive("routes[].recheck", .mapping, "Hold the application's own polls while it has nothing new."),
        Directive("routes[].recheck.channels", .templates, "Channels whose messages and signals ask it again."),
        Directive("routes[].recheck.nothing_new", .mapping, "How its answer looks when there is nothing new."),
        Directive("routes[].recheck.nothing_new.status", .statuses, "Its status; without it any 2xx."),
        Directive("routes[].recheck.nothing_new.body", .text, "Its whole body."),
        Directive("routes[].recheck.nothing_new.pattern", .text, "Its body, where * stands for anything."),
        Directive("routes[].recheck.nothing_new.empty", .pointer, "A place in its JSON that is empty."),
        Directive(
            "routes[].recheck.nothing_new.same", .boolean, default: "false",
            "Its body is that of the last answer to this client."),
        Directive(
            "routes[].recheck.timeout", .duration(.milliseconds(100)...Duration.seconds(86400)), default: "90s",
            "How long a poll is held."),
        Directive("routes[].recheck.methods", .methods, default: "GET", "POST, where polls are POST requests."),
        Directive(
            "routes[].recheck.concurrency", .integer(1...100_000), default: "4", "Questions to it at a time."),
        Directive(
            "routes[].recheck.queue", .integer(0...10_000_000), default: "1000",
            "Polls that wait for their first question; more are passed on."),
        Directive("routes[].recheck.share", .shareKeys, "What makes questions so alike that they share an answer."),
        Directive(
            "routes[].recheck.debounce", .duration(.zero...Duration.seconds(60)), default: "2s",
            "The longest distance between two questions of one poll."),
        Directive(
            "routes[].recheck.debounce_polls", .integer(anyCount), default: "1000",
            "Polls held at which the distance is that long."),
        Directive(
            "routes[].recheck.pass_every", .duration(.seconds(1)...Duration.seconds(86400)), default: "none",
            word: "none", "Ask at least that often, for sessions that live by polls."),
        Directive("routes[].recheck.supersede", .template, "Whose new poll takes the place of the held one."),
        Directive("routes[].recheck.ignore", .names, default: "_", "Query parameters that say nothing."),
        Directive(
            "routes[].recheck.answer", .size(1...(1 << 30)), default: "1MiB",
            "A longer answer is not looked at but passed on."),
        Directive(
            "routes[].recheck.observe", .boolean, default: "false", "Hold nothing, and count what would be held."),
        Directive("routes[].recheck.empty", .mapping, "The answer where its own can't be had."),
        Directive("routes[].recheck.empty.status", .integer(200...299), "Its status; 204."),
        Directive("routes[].recheck.empty.headers", .fields, "Fields added to it."),
        Directive("routes[].recheck.empty.body", .text, "Its body."),
    ]
}
