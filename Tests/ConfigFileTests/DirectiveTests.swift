import Foundation
import Testing

/// The table of keys against the code that reads it and the places that describe it.
@testable import ConfigFile

struct DirectiveTests {
    static let whole = """
        upstream: { server: http://127.0.0.1:8000 }
        listen: { address: 127.0.0.1:8080 }
        control: {}
        admin: { listen: 127.0.0.1:9101 }
        routes:
          - path: /poll
            hold: { channels: news, authorize: {}, empty: {}, cors: { origins: ["*"] } }
          - path: /updates
            recheck: { channels: news, nothing_new: { body: "[]" }, empty: {} }
          - path: /app
            proxy:
        publish:
          - channels: news
        """

    @Test func `every row is read, and none twice`() {
        let paths = Directive.all.map(\.path)
        #expect(Set(paths).count == paths.count)
        #expect(Set(paths).subtracting(Configuration.pathsRead(in: Self.whole)) == [])
    }

    @Test(arguments: Directive.all) func `a row says what it is`(_ row: Directive) {
        #expect(row.prose.hasSuffix("."))
        #expect(!row.expectation.isEmpty)
        if let word = row.word { #expect(row.expectation.hasSuffix("or \(word)")) }
        switch row.kind {
        case .mapping, .list: #expect(row.defaultText == nil)
        default: break
        }
    }

    /// Each key that holds one value, written with its default and with something that no kind but text takes.
    @Test(arguments: Directive.all.filter { $0.defaultText != nil })
    func `the default may be written, nonsense may not`(
        _ row: Directive
    ) throws {
        let text = try #require(row.defaultText)
        #expect(throws: Never.self) { try load(row, value: text) }
        if case .text = row.kind { return }
        let errors = #expect(throws: ConfigurationErrors.self) { try load(row, value: "\"?\"") }
        let error = try #require(errors?.errors.first)
        #expect(error.found == "\(row.key): \"?\"")
        #expect(error.expected == "expected \(row.expectation)")
        #expect(error.line > 0)
    }

    @Test(arguments: ["pollhold.yaml", "minimal.yaml", "demo.yaml", "legacy-chat-php/pollhold.yaml"]) func `the examples are right`(_ name: String)
        throws
    {
        let path = Self.checkout.appending(path: "examples/\(name)").path
        #expect(throws: Never.self) { try Configuration.load(path: path, environment: Self.demo) }
    }

    @Test func `the commented example shows every key with its default`() throws {
        let path = Self.checkout.appending(path: "examples/pollhold.yaml")
        let text = try String(contentsOf: path, encoding: .utf8)
        let lines = text.split(separator: "\n").map { $0.drop { " #-".contains($0) } }
        for row in Directive.all {
            let shown = lines.filter { $0.hasPrefix("\(row.key):") }
            #expect(!shown.isEmpty, "\(row.path) is missing")
            guard let value = row.defaultText else { continue }
            #expect(
                shown.contains { $0.dropFirst(row.key.count + 1).drop { " \"".contains($0) }.hasPrefix(value) },
                "\(row.path) should be shown with \(value)")
        }
    }

    @Test func `the manual describes every key with its default`() throws {
        let path = Self.checkout.appending(path: "man/pollhold.yaml.5")
        let text = try String(contentsOf: path, encoding: .utf8)
        var items: [String: String] = [:]
        for part in text.components(separatedBy: "\n.It Ic ").dropFirst() {
            let name = part.prefix { $0 != "\n" }
            items[String(name)] = part.components(separatedBy: "\n.El")[0]
        }
        for row in Directive.all {
            // The keys of a hold are listed from there on, and a mapping by its keys.
            let name = row.path.replacing("routes[].hold.", with: "hold.")
                .replacing("routes[].recheck.", with: "recheck.")
            guard let item = items[name] else {
                #expect(
                    items.keys.contains { $0.hasPrefix("\(name).") || $0.hasPrefix("\(name)[]") }, "\(name) is missing")
                continue
            }
            if let value = row.defaultText { #expect(item.contains(value), "\(name) should name \(value)") }
            if case .choice(let words) = row.kind {
                for word in words { #expect(item.contains(word), "\(name) should name \(word)") }
            }
        }
    }

    /// What `make demo` sets.
    private static let demo = [
        "POLLHOLD_LISTEN": "127.0.0.1:8080", "CHAT_UPSTREAM": "http://127.0.0.1:8000", "POLLHOLD_SOCKET": "/tmp/c.sock",
    ]

    private static let checkout = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// A configuration in which the row's key has a value.
    private func load(_ row: Directive, value: String) throws -> Configuration {
        var keys = row.path.split(separator: ".").map(String.init)
        var text = "{ \(keys.removeLast()): \(value) }"
        var siblings = [
            "": ["upstream: { server: http://127.0.0.1:8000 }"],
            "upstream": keys.contains("servers[]") ? [] : ["server: http://127.0.0.1:8000"],
            "upstream.servers[]": ["address: http://127.0.0.1:8000"], "upstream.health": ["path: /"],
        ]
        siblings["listen[]"] = ["address: 127.0.0.1:8080"]
        siblings["admin"] = ["listen: 127.0.0.1:9101"]
        siblings["routes[].hold"] = ["channels: news"]
        siblings["routes[].hold.template"] = ["answer: \"{messages}\""]
        siblings["routes[].hold.authorize"] = ["path: /whoami", "credential: \"{cookie.session}\""]
        siblings["routes[].recheck"] = ["nothing_new: { body: none }", "channels: news"]
        siblings["routes[].recheck.nothing_new"] = ["body: none"]
        siblings["publish[]"] = ["channels: news"]
        siblings["routes[].hold.cors"] = ["origins: [\"*\"]"]
        while true {
            for sibling in siblings[keys.joined(separator: ".")] ?? [] {
                let key = sibling.prefix { $0 != ":" }
                if !text.hasPrefix("{ \(key):") { text = "{ \(sibling), \(text.dropFirst(2))" }
            }
            guard let key = keys.popLast() else { break }
            if key == "routes[]" { text = "{ path: /poll, \(text.dropFirst(2))" }
            text = key.hasSuffix("[]") ? "{ \(key.dropLast(2)): [\(text)] }" : "{ \(key): \(text) }"
        }
        return try Configuration.load(text: text, file: "pollhold.yaml", environment: [:])
    }
}
