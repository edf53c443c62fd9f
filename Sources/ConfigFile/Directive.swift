/// One key of the configuration file: its kind, range, default and prose. The table of these rows is what the parser,
/// `check` and the manual's test read; a default or a range stands nowhere else.
package struct Directive: Sendable {
    package enum Kind: Sendable {
        /// A mapping of further keys.
        case mapping
        /// A list of mappings.
        case list
        case duration(ClosedRange<Duration>)
        /// In bytes.
        case size(ClosedRange<Int>)
        case integer(ClosedRange<Int>)
        /// A whole number, or the word `auto`.
        case automaticInteger(ClosedRange<Int>)
        case boolean
        case text
        case choice([String])
        /// Permission bits in octal.
        case mode
        /// `host:port` or `unix:/path`.
        case listenAddress
        /// The same or a mapping, or a list of these.
        case listenAddresses
        /// `http://host:port` or `unix:/path`.
        case server
        /// Addresses of name servers.
        case nameservers
        /// Names of protocols, or `*`.
        case protocols
        case filePath
        case logTarget
        case pathPattern
        /// A template or a list of templates.
        case templates
        /// Channel patterns.
        case patterns
        /// Origins, or `*`.
        case origins
        /// Header fields by name.
        case fields
        /// `METHOD /path`, or a list of these.
        case requests
        /// Status codes, classes or ranges.
        case statuses
        /// Addresses, with or without a length.
        case addresses
        /// `none`, `request`, `response` or a template.
        case data
        /// One template.
        case template
        case methods
        /// What makes questions the same.
        case shareKeys
        /// Names of query parameters.
        case names
        /// A JSON pointer.
        case pointer
    }

    /// From the root, e.g. `routes[].hold.timeout`.
    package let path: String
    package let kind: Kind
    /// What is taken if the key is absent, as it would be written; nil: the key is required, or stands for nothing.
    package let defaultText: String?
    /// A word that may stand instead of a value, e.g. `none`.
    package let word: String?
    package let prose: String

    init(_ path: String, _ kind: Kind, default defaultText: String? = nil, word: String? = nil, _ prose: String) {
        self.path = path
        self.kind = kind
        self.defaultText = defaultText
        self.word = word
        self.prose = prose
    }

    /// The last part of the path.
    package var key: String { path.split(separator: ".").last.map(String.init) ?? path }

    /// What a value of this kind looks like, for errors.
    package var expectation: String {
        let base =
            switch kind {
            case .mapping: "a mapping"
            case .list: "a list"
            case .duration(let range):
                "a duration from \(DurationText(range.lowerBound)) to \(DurationText(range.upperBound)), "
                    + "such as 90s or 10m"
            case .size(let range):
                "a size from \(ByteSize(range.lowerBound)) to \(ByteSize(range.upperBound)), such as 64KiB"
            case .integer(let range): "a whole number from \(range.lowerBound) to \(range.upperBound)"
            case .automaticInteger(let range): "a whole number from \(range.lowerBound) to \(range.upperBound), auto"
            case .boolean: "true or false"
            case .text: "text"
            case .choice(let words): "one of \(words.joined(separator: ", "))"
            case .mode: "permission bits in octal, such as \"0660\""
            case .listenAddress: "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path"
            case .listenAddresses: "an address such as 127.0.0.1:8080, [::1]:8080 or unix:/path, or a list of them"
            case .server: "http://host:port or unix:/path"
            case .nameservers: "an address in numbers such as 127.0.0.1 or [::1]:53, or a list of them"
            case .protocols: "the name of a protocol such as websocket, a list of them, \"*\" for any, or none"
            case .filePath: "an absolute path"
            case .logTarget: "off, stderr, stdout or an absolute path"
            case .pathPattern: "a path such as /poll, /rooms/{room}/poll or /static/**"
            case .templates: "a template such as \"room.{query.room}\", or a list of templates"
            case .patterns: "a list of channel patterns such as [news, \"room.*\"]"
            case .origins: "a list of origins such as [\"https://app.example.com\"], or [\"*\"]"
            case .fields: "header fields by name"
            case .requests:
                "a method and a path, such as POST /chat/send, or \"PUT,DELETE /rooms/{room}\", or a list of them"
            case .statuses: "a status such as 200, 2xx or 200-299, or a list of them"
            case .addresses: "addresses such as 127.0.0.1, 10.0.0.0/8 or unix, one or a list"
            case .data: "none, request, response or a template with a reference in it"
            case .template: "a template such as \"{cookie.session}\""
            case .methods: "a list of GET, HEAD and POST"
            case .shareKeys: "a list of path, query, cookie.NAME and header.NAME"
            case .names: "names of query parameters, one or a list"
            case .pointer: "a JSON pointer such as /messages"
            }
        return word.map { "\(base), or \($0)" } ?? base
    }

    /// The row of a path; the path comes from the parser's own code.
    static func row(_ path: String) -> Directive {
        guard let row = byPath[path] else { preconditionFailure("the table has no row \(path)") }
        return row
    }

    /// Keys that may stand inside a mapping.
    static func keys(inside path: String) -> [String] {
        let prefix = path.isEmpty ? "" : path + "."
        return all.filter { row in
            row.path.hasPrefix(prefix) && !row.path.dropFirst(prefix.count).contains(".")
        }.map(\.key)
    }

    private static let byPath = Dictionary(uniqueKeysWithValues: all.map { ($0.path, $0) })
}
