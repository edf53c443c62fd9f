/// How the app is asked whether a client may poll, and what in the traffic ends its answer.
import ByteText
package import ConfigFile
package import HTTP1

package final class AuthorizeRule: Sendable {
    let path: [UInt8]
    private let credential: TemplateText
    package let cache: Duration
    private let logout: [RequestPattern]
    /// Cookies that make the credential.
    private let cookies: [[UInt8]]
    package let proxy: ProxyRoute

    /// Nil if the configuration has no credential, which it has said already.
    package init?(_ authorize: Configuration.Authorize, proxy: ProxyRoute) {
        guard let credential = authorize.credential else { return nil }
        path = Array(authorize.path.utf8)
        self.credential = credential
        cache = authorize.cache
        logout = authorize.logout
        cookies = credential.references.compactMap { $0.source == .cookie ? Array($0.name.utf8) : nil }
        self.proxy = proxy
    }

    /// What tells a request's client from others; nil: it shows nothing of the kind.
    package func credential(_ head: borrowing RequestHead) -> [UInt8]? {
        do throws(TemplateError) {
            return try TemplateSource(captures: .none, client: .unix).evaluate(credential, head, limit: 1).first
        } catch {
            return nil
        }
    }

    /// What an answer of the app is good for: this credential, asking for just this.
    ///
    /// - Parameters:
    ///   - content: the poll's body, whose fields count like those of the query if it is a form; else all of it counts.
    ///   - ignoring: parameters that only say how far the client has come.
    package func identity(
        _ head: borrowing RequestHead, content: [UInt8], credential: [UInt8], ignoring: [[UInt8]]
    ) -> RequestIdentity {
        var text = path
        text.append("\n")
        text.append(contentsOf: credential)
        text.append("\n")
        if let query = head.queryRange { Self.append(head[query], ignoring, to: &text) }
        guard !content.isEmpty else { return RequestIdentity(text) }
        text.append("\n")
        if CapturedContent(content, of: head.fields).isForm {
            Self.append(content.span, ignoring, to: &text)
        } else {
            text.append(contentsOf: content)
        }
        return RequestIdentity(text)
    }

    private static func append(_ parameters: Span<UInt8>, _ ignoring: [[UInt8]], to text: inout [UInt8]) {
        var items = QueryItems(parameters)
        while let item = items.next() {
            let name = parameters.extracting(item.name)
            if name.equals("_") || ignoring.contains(where: { name.equals($0.span) }) { continue }
            text.append(parameters.extracting(item.name.lowerBound..<item.value.upperBound))
            text.append("&")
        }
    }

    /// The question: the poll's own method, query, fields and body, for the rule's path.
    ///
    /// - Parameter written: the poll as it would go to the app.
    package func question(_ head: borrowing RequestHead, written: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.append(head[head.methodRange])
        text.append(" ")
        text.append(contentsOf: path)
        if let query = head.queryRange {
            text.append("?")
            text.append(head[query])
        }
        text.append(" HTTP/1.1")
        text.append(contentsOf: written.drop { $0 != 0x0D })
        return text
    }

    /// Whether a request, once it is answered, ends what its credential was granted.
    package func isLogout(_ head: borrowing RequestHead) -> Bool {
        logout.contains { $0.isMet(by: head) }
    }

    /// Whether a response gives a client another credential.
    package func changesCredential(_ response: borrowing ResponseHead, of cookieField: [UInt8]) -> Bool {
        for line in response.fields.lines where line.name == .setCookie {
            let pair = response.fields.value(of: line).array.prefix { $0 != 0x3B }
            guard let equals = pair.firstIndex(of: 0x3D), cookies.contains(Array(pair[..<equals])) else { continue }
            let name = Array(pair[..<equals])
            let old = CookieItems.value(cookieField.span, named: name.span).map { Array(cookieField[$0]) }
            if let old, !old.elementsEqual(pair[(equals + 1)...]) { return true }
        }
        return false
    }
}

/// Watches one exchange of ordinary traffic for the end of what its client was granted: a logout that the app has
/// answered, or a response with another session.
package struct SessionWatch {
    private let watched: [(rule: AuthorizeRule, credential: [UInt8], isLogout: Bool)]
    private let cookieField: [UInt8]
    private var changed: [[UInt8]] = []
    private var status = 0

    /// Nil if no rule knows the client.
    package init?(_ rules: [AuthorizeRule], _ head: borrowing RequestHead) {
        var watched: [(rule: AuthorizeRule, credential: [UInt8], isLogout: Bool)] = []
        for rule in rules {
            if let credential = rule.credential(head) { watched.append((rule, credential, rule.isLogout(head))) }
        }
        guard !watched.isEmpty else { return nil }
        self.watched = watched
        var cookies: [UInt8] = []
        for line in head.fields.lines where line.name == .cookie {
            if !cookies.isEmpty { cookies.append("; ") }
            cookies.append(head.fields.value(of: line))
        }
        cookieField = cookies
    }

    package mutating func response(_ head: borrowing ResponseHead) {
        status = head.status
        for (rule, credential, _) in watched where rule.changesCredential(head, of: cookieField) {
            changed.append(credential)
        }
    }

    /// The response is complete.
    ///
    /// - Returns: credentials that are worth nothing any more.
    package func responseEnded() -> [[UInt8]] {
        changed + watched.filter { $0.isLogout && status < 400 }.map(\.credential)
    }
}
