/// Which status codes are meant: `204`, a class such as `2xx`, or a range such as `200-299`.
package struct StatusPattern: Hashable, Sendable {
    package let range: ClosedRange<Int>

    package init(_ range: ClosedRange<Int>) { self.range = range }

    package init?(_ text: String) {
        if text.utf8.count == 3, text.hasSuffix("xx"), let number = text.first?.wholeNumberValue,
            (1...5).contains(number)
        {
            range = number * 100...number * 100 + 99
            return
        }
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first.flatMap({ Int($0) }),
            let last = parts.last.flatMap({ Int($0) }),
            first <= last, first >= 200, last <= 599
        else { return nil }
        range = first...last
    }

    package func matches(_ status: Int) -> Bool { range.contains(status) }
}
