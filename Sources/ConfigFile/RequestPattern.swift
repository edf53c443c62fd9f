/// Which requests a publish rule is for: methods and a path, e.g. `POST /chat/send` or `PUT,DELETE /rooms/{room}`.
package struct RequestPattern: Hashable, Sendable {
    /// As they are sent; empty: every method that is not safe (RFC 9110 §9.2.1).
    package let methods: [String]
    package let path: PathPattern

    package init(methods: [String], path: PathPattern) {
        self.methods = methods
        self.path = path
    }

    /// Methods that ask a cache to forget something. A client that may send them could make everybody load afresh.
    package static let purgingMethods = ["PURGE", "BAN"]

    package var purges: Bool { methods.contains { Self.purgingMethods.contains($0) } }

    /// - Returns: nil for what has no method or no path; a path's own flaw is thrown.
    init?(_ text: String) throws(PathPattern.Flaw) {
        guard let space = text.firstIndex(of: " ") else { return nil }
        let methods = text[..<space].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard methods == ["*"] || methods.allSatisfy(Self.isMethod) else { return nil }
        self.methods = methods == ["*"] ? [] : methods
        path = try PathPattern(String(text[text.index(after: space)...]))
    }

    /// A token in capitals: methods are compared with regard to case, and no application sends `post`.
    static func isMethod(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == 0x2D || $0 == 0x5F }
    }
}
