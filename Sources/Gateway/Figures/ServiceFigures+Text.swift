/// The figures written out. One list feeds both forms, so neither can miss what the other shows.
import ByteText
import JSONText
import Polling

extension ServiceFigures {
    /// Every figure, in the order of both forms.
    var figures: [Figure] {
        pollFigures + poolFigures + storeFigures + ruleFigures + connectionFigures + refusalFigures + [
            Figure(
                key: "reloads", metric: "pollhold_reloads_total", kind: .counter,
                prose: "Configuration reloads that took effect.", value: reloads.done),
            Figure(
                key: "refused_reloads", metric: "pollhold_reloads_refused_total", kind: .counter,
                prose: "Configuration reloads that were refused because of errors.", value: reloads.refused),
            Figure(
                key: "reload_failing", metric: "pollhold_configuration_last_reload_failed", kind: .gauge,
                prose: "Whether the last reload was refused, so that the file is not what is served by.",
                value: reloads.error == nil ? 0 : 1),
            Figure(
                key: "reloaded_at", metric: "pollhold_configuration_last_success_timestamp_seconds", kind: .gauge,
                prose: "When the configuration that is served by was loaded.",
                value: UInt64(max(0, reloads.succeededAt))),
            Figure(
                key: "failed_upgrades", metric: "pollhold_upgrades_failed_total", kind: .counter,
                prose: "Upgrades after which this process went on.", value: reloads.upgradesFailed),
            Figure(
                key: "dropped_log_lines", metric: "pollhold_log_lines_dropped_total", kind: .counter,
                prose: "Log lines lost because their destination was full or too slow.", value: droppedLogLines),
        ]
    }

    private var pollFigures: [Figure] {
        [
            Figure(
                key: "held", metric: "pollhold_polls_held", kind: .gauge, prose: "Polls that wait now.",
                value: UInt64(traffic.held)),
            Figure(
                key: "polls", metric: "pollhold_polls_total", kind: .counter, prose: "Polls received.",
                value: traffic.polls),
            Figure(
                key: "refused_polls.limit", metric: "pollhold_polls_refused_total", label: "limit=\"all\"",
                kind: .counter, prose: "Polls refused because of a limit.", value: traffic.pollsRefusedInAll),
            Figure(
                key: "refused_polls.client", metric: "pollhold_polls_refused_total", label: "limit=\"client\"",
                kind: .counter, prose: "Polls refused because of a limit.", value: traffic.pollsRefusedOfClient),
        ]
            + PollExchange.Release.allCases.map { release in
                Figure(
                    key: "released.\(release.rawValue)", metric: "pollhold_polls_released_total",
                    label: "reason=\"\(release.rawValue)\"", kind: .counter, prose: "Polls answered, by reason.",
                    value: traffic.released[release.place])
            } + [
                Figure(
                    key: "abandoned", metric: "pollhold_polls_abandoned_total", kind: .counter,
                    prose: "Polls whose client left before the answer.", value: traffic.abandonedPolls),
                Figure(
                    key: "delivered", metric: "pollhold_messages_delivered_total", kind: .counter,
                    prose: "Messages handed out in answers.", value: traffic.delivered),
            ]
    }

    private var poolFigures: [Figure] {
        [
            Figure(
                key: "pool.channels", metric: "pollhold_pool_channels", kind: .gauge, prose: "Channels in the pool.",
                value: UInt64(pool.channels)),
            Figure(
                key: "pool.messages", metric: "pollhold_pool_messages", kind: .gauge, prose: "Messages in the pool.",
                value: UInt64(pool.messages)),
            Figure(
                key: "pool.bytes", metric: "pollhold_pool_bytes", kind: .gauge,
                prose: "Memory of the messages in the pool.",
                value: UInt64(pool.bytes)),
            Figure(
                key: "pool.last_id", metric: "pollhold_pool_last_id", kind: .gauge,
                prose: "The newest message id of this epoch.", value: pool.lastID),
            Figure(
                key: "published", metric: "pollhold_messages_published_total", kind: .counter,
                prose: "Messages published.", value: pool.counters.published),
            Figure(
                key: "signalled", metric: "pollhold_signals_total", kind: .counter, prose: "Signals given.",
                value: pool.counters.signalled),
            Figure(
                key: "evicted.count", metric: "pollhold_messages_evicted_total", label: "reason=\"count\"",
                kind: .counter,
                prose: "Messages that left the pool, by reason.", value: pool.counters.evictedByCount),
            Figure(
                key: "evicted.age", metric: "pollhold_messages_evicted_total", label: "reason=\"age\"", kind: .counter,
                prose: "Messages that left the pool, by reason.", value: pool.counters.evictedByAge),
            Figure(
                key: "evicted.memory", metric: "pollhold_messages_evicted_total", label: "reason=\"memory\"",
                kind: .counter,
                prose: "Messages that left the pool, by reason.", value: pool.counters.evictedByMemory),
            Figure(
                key: "gaps", metric: "pollhold_gaps_total", kind: .counter,
                prose: "Look-ups that had to tell of lost messages.", value: pool.counters.gaps),
        ]
    }

    private var ruleFigures: [Figure] {
        [
            Figure(
                key: "rules.published", metric: "pollhold_rules_published_total", kind: .counter,
                prose: "Messages and signals that publish rules made.", value: traffic.rulePublishes),
            Figure(
                key: "rules.skipped", metric: "pollhold_rules_skipped_total", kind: .counter,
                prose: "Times that a rule matched and what it refers to was not there.", value: traffic.skippedRules),
        ]
    }

    private var connectionFigures: [Figure] {
        [
            Figure(
                key: "connections", metric: "pollhold_connections", kind: .gauge,
                prose: "Open connections of all kinds.", value: UInt64(traffic.connections)),
            Figure(
                key: "clocks", metric: "pollhold_clocks", kind: .gauge,
                prose: "Timeouts that run for connections; a held poll has none of them.",
                value: UInt64(traffic.clocks)),
            Figure(
                key: "accepted", metric: "pollhold_connections_accepted_total", kind: .counter,
                prose: "Connections accepted.", value: traffic.accepted),
            Figure(
                key: "adopted", metric: "pollhold_connections_adopted_total", kind: .counter,
                prose: "Connections that the process before this one handed over.", value: traffic.adopted),
            Figure(
                key: "accept_pauses", metric: "pollhold_accept_pauses_total", kind: .counter,
                prose: "Times that accepting was paused at a limit.", value: traffic.acceptPauses),
            Figure(
                key: "refused", metric: "pollhold_requests_refused_total", kind: .counter,
                prose: "Requests that could not be read.", value: traffic.refused),
            Figure(
                key: "proxy_headers_refused", metric: "pollhold_proxy_headers_refused_total", kind: .counter,
                prose: "Connections without the PROXY header that their listener expects.",
                value: traffic.preamblesRefused),
            Figure(
                key: "refused_connections", metric: "pollhold_connections_refused_total", kind: .counter,
                prose: "Connections refused because their client had too many.", value: traffic.connectionsRefused),
            Figure(
                key: "admin_connections_refused", metric: "pollhold_admin_connections_refused_total", kind: .counter,
                prose: "Connections to the admin listener that were closed because there were too many.",
                value: traffic.adminConnectionsRefused),
            Figure(
                key: "proxied", metric: "pollhold_requests_proxied_total", kind: .counter,
                prose: "Requests passed to the application.", value: traffic.proxied),
            Figure(
                key: "upstream.connects", metric: "pollhold_upstream_connects_total", kind: .counter,
                prose: "Connections opened to the application.", value: traffic.upstreamConnects),
            Figure(
                key: "upstream.retries", metric: "pollhold_upstream_retries_total", kind: .counter,
                prose: "Requests sent again because a kept connection had died or none could be opened.",
                value: traffic.retried),
            Figure(
                key: "upstream.idle", metric: "pollhold_upstream_connections_idle", kind: .gauge,
                prose: "Connections to the application that wait for a request.", value: UInt64(traffic.idleUpstream)),
            Figure(
                key: "upstream.waiting", metric: "pollhold_upstream_requests_waiting", kind: .gauge,
                prose: "Requests that wait for a server.", value: UInt64(waitingRequests)),
        ]
    }

    /// What was refused or given up because of a limit, by its reason.
    private var refusalFigures: [Figure] {
        [
            Figure(
                key: "shed_connections", metric: "pollhold_connections_shed_total", kind: .counter,
                prose: "Idle connections of clients that were closed at a limit to make room.",
                value: traffic.shedConnections),
            Figure(
                key: "refused_for_memory", metric: "pollhold_requests_refused_for_memory_total", kind: .counter,
                prose: "Requests refused because of limits.memory.", value: traffic.refusedForMemory),
            Figure(
                key: "memory.bytes", metric: "pollhold_memory_bytes", kind: .gauge,
                prose: "Allocated memory as of the last look; 0 without limits.memory.", value: UInt64(memory.bytes)),
            Figure(
                key: "memory.short", metric: "pollhold_memory_short", kind: .gauge,
                prose: "Whether requests are refused because of limits.memory.", value: memory.isShort ? 1 : 0),
        ]
            + ProxyFailure.allCases.map { failure in
                Figure(
                    key: "upstream_failures.\(failure.rawValue)", metric: "pollhold_upstream_failures_total",
                    label: "reason=\"\(failure.rawValue)\"", kind: .counter,
                    prose: "Requests that the application did not answer, by reason.",
                    value: traffic.upstreamFailures[failure.place])
            }
            + PublishRefusal.allCases.map { refusal in
                Figure(
                    key: "refused_publishes.\(refusal.rawValue)", metric: "pollhold_publishes_refused_total",
                    label: "reason=\"\(refusal.rawValue)\"", kind: .counter,
                    prose: "Publishes on the control socket that were refused, by reason.",
                    value: traffic.publishesRefused[refusal.place])
            }
    }

    /// For Prometheus alone; the JSON has a list of servers.
    private var serverFigures: [Figure] {
        servers.map { server in
            Figure(
                key: "", metric: "pollhold_upstream_server_up", label: "server=\"\(Self.labelled(server.name))\"",
                kind: .gauge, prose: "Whether requests go to the server as a matter of course.",
                value: server.isIn ? 1 : 0)
        }
            + servers.map { server in
                Figure(
                    key: "", metric: "pollhold_upstream_server_active",
                    label: "server=\"\(Self.labelled(server.name))\"",
                    kind: .gauge, prose: "Requests under way at the server.", value: UInt64(server.active))
            }
    }

    private func appendServers(to text: inout [UInt8]) {
        text.append(#","servers":["#)
        for (index, server) in servers.enumerated() {
            text.append(index == 0 ? #"{"name":"# : #",{"name":"#)
            text.append(jsonText: server.name)
            text.append(server.isIn ? #","in":true,"active":"# : #","in":false,"active":"#)
            text.append(decimal: UInt64(server.active))
            text.append("}")
        }
        text.append("]")
    }

    /// One JSON object; figures with a dot in their key stand in an object of their own.
    package var json: [UInt8] {
        var text: [UInt8] = []
        text.append(#"{"version":"#)
        text.append(jsonText: version)
        text.append(#","pid":"#)
        text.append(decimal: UInt64(processID))
        text.append(#","uptime_seconds":"#)
        text.append(decimal: UInt64(max(0, uptime.components.seconds)))
        text.append(#","workers":"#)
        text.append(decimal: UInt64(workers))
        text.append(isDraining ? #","draining":true"# : #","draining":false"#)
        text.append(#","epoch":"#)
        text.append(jsonText: epoch.description)
        text.append(#","configuration":"#)
        text.append(jsonText: configurationPath)
        var group = ""
        for figure in (figures + delayFigures).sorted(by: { Self.group(of: $0.key) < Self.group(of: $1.key) }) {
            let own = Self.group(of: figure.key)
            if own != group {
                if !group.isEmpty { text.append("}") }
                text.append(",")
                text.append(jsonText: own)
                text.append(":{")
                group = own
            } else {
                text.append(",")
            }
            text.append(jsonText: own.isEmpty ? figure.key : String(figure.key.dropFirst(own.count + 1)))
            text.append(":")
            text.append(decimal: figure.value)
        }
        if !group.isEmpty { text.append("}") }
        if let reason = reloads.error {
            text.append(#","reload_error":"#)
            text.append(jsonText: reason)
        }
        if let reason = store?.lastError {
            text.append(#","store_error":"#)
            text.append(jsonText: reason)
        }
        appendServers(to: &text)
        appendRechecks(to: &text)
        text.append("}\n")
        return text
    }

    private static func group(of key: String) -> String {
        guard let dot = key.firstIndex(of: ".") else { return "" }
        return String(key[..<dot])
    }

    /// Prometheus text format 0.0.4.
    package var prometheus: [UInt8] {
        var text: [UInt8] = []
        var described = ""
        for figure in figures + serverFigures + recheckFigures {
            if figure.metric != described {
                described = figure.metric
                text.append(contentsOf: "# HELP \(figure.metric) \(figure.prose)\n".utf8)
                text.append(contentsOf: "# TYPE \(figure.metric) \(figure.kind.rawValue)\n".utf8)
            }
            text.append(contentsOf: figure.metric.utf8)
            if !figure.label.isEmpty { text.append(contentsOf: "{\(figure.label)}".utf8) }
            text.append(contentsOf: " \(figure.value)\n".utf8)
        }
        appendHistograms(to: &text)
        text.append(contentsOf: "# HELP pollhold_uptime_seconds Time since the start.\n".utf8)
        text.append(contentsOf: "# TYPE pollhold_uptime_seconds gauge\n".utf8)
        text.append(contentsOf: "pollhold_uptime_seconds \(max(0, uptime.components.seconds))\n".utf8)
        text.append(
            contentsOf: "# HELP pollhold_build_info The running version.\n# TYPE pollhold_build_info gauge\n".utf8)
        text.append(contentsOf: "pollhold_build_info{version=\"\(version)\"} 1\n".utf8)
        return text
    }
}
