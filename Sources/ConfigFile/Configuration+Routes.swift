/// Reading the routes: paths, what is held there, who may read what.
import Yams

extension Configuration {
    /// - Parameter proxy: what a route that passes on takes for what it does not say itself.
    static func routes(_ root: SectionReader, proxy: Proxy) -> [Route] {
        _ = root.row("routes")
        guard let node = root.node("routes") else { return [] }
        guard let sequence = node.sequence else {
            root.collector.note(
                node.mark, found: node.kindText, expected: "expected a list of routes, each with a path")
            return []
        }
        var routes: [Route] = []
        for entry in sequence {
            let section = SectionReader(root.collector, path: "routes[]", node: entry, mark: entry.mark)
            guard entry.mapping != nil, let route = route(section, proxy) else { continue }
            if let earlier = routes.first(where: { $0.path.covers(route.path) }) {
                section.collector.note(
                    section.node("path")?.mark, found: "the path \(route.path), which no request reaches",
                    expected: "the route \(earlier.path) above takes it; expected it below, or once")
            }
            routes.append(route)
        }
        return routes
    }

    private static func route(_ section: SectionReader, _ proxy: Proxy) -> Route? {
        section.require("path")
        let path = pathPattern(section)
        let kinds = ["hold", "recheck", "proxy"].filter(section.has)
        _ = section.row("proxy")
        guard kinds.count == 1 else {
            section.collector.note(
                section.mark,
                found: kinds.isEmpty ? "a route that does nothing" : "a route with \(kinds.joined(separator: " and "))",
                expected: "expected one of hold, recheck and proxy")
            return nil
        }
        let kind: Route.Kind
        if kinds == ["hold"] {
            kind = .hold(hold(section.section("hold"), path: path))
        } else if kinds == ["recheck"] {
            kind = .recheck(recheck(section.section("recheck"), path: path, proxy))
        } else {
            kind = .proxy(Self.proxy(section.section("proxy"), proxy))
        }
        return path.map { Route(path: $0, kind: kind) }
    }

    private static func pathPattern(_ section: SectionReader) -> PathPattern? {
        let row = section.row("path")
        guard let node = section.node("path"), let text = section.scalar(node, expected: row.expectation) else {
            return nil
        }
        do throws(PathPattern.Flaw) {
            return try PathPattern(text)
        } catch {
            section.collector.note(
                node.mark, found: "path: \(section.quoted(text))", expected: "expected \(error.expected)")
            return nil
        }
    }

    private static func proxy(_ section: SectionReader, _ general: Proxy) -> Proxy {
        let (body, response, idle) = (
            section.optionalSize("request_body"), section.optionalDuration("response_timeout"),
            section.optionalDuration("idle_timeout")
        )
        return Proxy(
            requestBodyBytes: section.has("request_body") ? body : general.requestBodyBytes,
            responseTimeout: response ?? general.responseTimeout, idleTimeout: idle ?? general.idleTimeout)
    }

    private static func hold(_ section: SectionReader, path: PathPattern?) -> Hold {
        section.require("channels")
        let authorize = section.has("authorize") ? authorize(section.section("authorize")) : nil
        let posts = holdsPosts(section)
        let paths = path.map { [$0] } ?? []
        var sources = TemplateRules.requestSources
        if posts { sources.formUnion(TemplateRules.contentSources) }
        if authorize != nil { sources.insert(.authorizationHeader) }
        let channels = templates(
            section, "channels", TemplateRules(sources: sources, paths: paths, place: "a hold's channels"))
        let allow = section.has("allow") ? patterns(section) : nil
        _ = section.row("allow")
        if allow == nil, authorize == nil, channels.contains(where: \.isClientControlled) {
            section.collector.note(
                section.mark, found: "a hold whose channels the client names, without allow",
                expected: "expected allow: the patterns of channels that may be read here; or authorize")
        }
        let batch = section.section("batch")
        let hold = Hold(
            channels: channels, allow: allow, authorize: authorize, timeout: section.duration("timeout"),
            startsNow: section.text("start") == "now",
            batchMessages: batch.integer("messages"), batchBytes: batch.size("bytes"),
            format: section.choice("format", as: Hold.Format.self) ?? .json,
            empty: section.has("empty") ? empty(section.section("empty")) : nil,
            crossOrigin: section.has("cors") ? crossOrigin(section.section("cors")) : nil,
            channelsLimit: section.integer("channels_limit"),
            afterParameter: section.text("after_parameter") ?? "after", cursor: cursorKeeping(section),
            callbackParameter: section.text("callback_parameter") ?? "callback",
            template: answerTemplate(section), holdsPosts: posts,
            supersede: template(
                section, "supersede", TemplateRules(sources: sources, paths: paths, place: "supersede")))
        _ = section.choice("start", as: Start.self)
        return hold
    }

    private enum Start: String, CaseIterable {
        case oldest
        case now
    }

    private static func patterns(_ section: SectionReader) -> [ChannelPattern] {
        section.scalars("allow").compactMap { text, mark in
            if let pattern = ChannelPattern(text) { return pattern }
            section.collector.note(
                mark, found: "allow: \(section.quoted(text))",
                expected: "expected a pattern of channel names: parts between dots, * for any one part, ** for any rest"
            )
            return nil
        }
    }

    static func empty(_ section: SectionReader) -> Empty {
        Empty(
            status: section.optionalInteger("status"), headers: headers(section), body: section.anyText("body"))
    }

    private static func headers(_ section: SectionReader) -> [Empty.Header] {
        let row = section.row("headers")
        guard let node = section.node("headers") else { return [] }
        guard let mapping = node.mapping else {
            section.collector.note(node.mark, found: node.kindText, expected: "expected \(row.expectation)")
            return []
        }
        return mapping.compactMap { key, value in
            guard let name = key.scalar?.string, let text = section.scalar(value, expected: "a field's value") else {
                return nil
            }
            let isToken =
                !name.isEmpty
                && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"()<>@,;:\\\"/[]?={}".utf8.contains($0) }
            let ours = ["content-length", "transfer-encoding", "connection", "date", "pollhold-cursor"]
            guard isToken, !ours.contains(name.lowercased()) else {
                section.collector.note(
                    key.mark, found: "the field \(section.quoted(name))",
                    expected: "expected a field's name that is not one of \(ours.joined(separator: ", "))")
                return nil
            }
            guard text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
                section.collector.note(
                    value.mark, found: "a control character", expected: "expected a field's value in one line")
                return nil
            }
            return Empty.Header(name: name, value: text)
        }
    }

    private static func crossOrigin(_ section: SectionReader) -> CrossOrigin {
        section.require("origins")
        let origins = section.scalars("origins").compactMap { text, mark -> String? in
            if text == "*" || isOrigin(text) { return text }
            section.collector.note(
                mark, found: "origins: \(section.quoted(text))",
                expected: "expected an origin such as https://app.example.com, without a path")
            return nil
        }
        let credentials = section.boolean("credentials")
        if credentials, origins.contains("*") {
            section.collector.note(
                section.node("credentials")?.mark, found: "credentials for every origin",
                expected: "expected a list of exact origins beside credentials: true")
        }
        return CrossOrigin(origins: origins, credentials: credentials, maxAge: section.duration("max_age"))
    }

    private static func isOrigin(_ text: String) -> Bool {
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            let rest = text.dropFirst(scheme.count)
            return !rest.isEmpty && rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != 0x2F && $0 != 0x40 }
        }
        return false
    }
}
