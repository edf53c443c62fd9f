/// How an app's answer looks when there is nothing new: any of the looks, and in each everything that it says.
import ByteText
package import ConfigFile
import JSONText

package struct NothingNew: Sendable {
    private struct Look: Sendable {
        let statuses: [StatusPattern]
        /// Without white space around it.
        let body: [UInt8]?
        /// The parts between the stars.
        let pattern: [[UInt8]]?
        let emptyPointer: JSONPointer?
        let isSame: Bool

        func accepts(_ status: Int) -> Bool { statuses.contains { $0.matches(status) } }
        var readsContent: Bool { body != nil || pattern != nil || emptyPointer != nil || isSame }
    }

    private let looks: [Look]
    /// A look compares with the last answer to the client.
    package let comparesLast: Bool

    package init(_ looks: [Configuration.NothingNew]) {
        comparesLast = looks.contains(where: \.same)
        self.looks = looks.map { look in
            Look(
                statuses: look.status.isEmpty ? [StatusPattern(200...299)] : look.status,
                body: look.body.map { Self.trimmed(Array($0.utf8)) },
                pattern: look.pattern.map {
                    $0.utf8.split(separator: 0x2A, omittingEmptySubsequences: false).map(Array.init)
                },
                emptyPointer: look.empty.flatMap { JSONPointer($0) }, isSame: look.same)
        }
    }

    /// Whether an answer with this status may turn out to be nothing new, once its body is known.
    package func mayBe(_ status: Int) -> Bool { looks.contains { $0.accepts(status) } }

    /// Whether an answer is nothing new.
    ///
    /// - Parameter isSame: the body is that of the last answer to this client.
    package func isMet(status: Int, body: Span<UInt8>, isSame: Bool) -> Bool {
        looks.contains { look in look.accepts(status) && Self.fits(look, body, isSame) }
    }

    private static func fits(_ look: Look, _ body: Span<UInt8>, _ isSame: Bool) -> Bool {
        if look.isSame, !isSame { return false }
        if let wanted = look.body, trimmed(body.array) != wanted { return false }
        if let parts = look.pattern, !matches(parts, trimmed(body.array)) { return false }
        if let pointer = look.emptyPointer {
            guard CapturedContent.isValid(body), let value = pointer.follow(in: body) else { return false }
            return value.isEmpty(in: body)
        }
        return true
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return Array(bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }

    /// The first part begins the text, the last one ends it, the others stand between in their order.
    private static func matches(_ parts: [[UInt8]], _ text: [UInt8]) -> Bool {
        guard parts.count > 1, let first = parts.first, let last = parts.last else { return parts.first == text }
        guard text.count >= first.count + last.count, text.starts(with: first),
            text.reversed().starts(with: last.reversed())
        else { return false }
        var rest = text[first.count..<(text.count - last.count)]
        for part in parts.dropFirst().dropLast() where !part.isEmpty {
            guard let place = rest.firstPlace(of: part) else { return false }
            rest = rest[(place + part.count)...]
        }
        return true
    }
}

extension ArraySlice<UInt8> {
    fileprivate func firstPlace(of part: [UInt8]) -> Int? {
        guard let first = part.first, count >= part.count else { return nil }
        var start = startIndex
        while let place = self[start...].firstIndex(of: first), endIndex - place >= part.count {
            if self[place..<(place + part.count)].elementsEqual(part) { return place }
            start = place + 1
        }
        return nil
    }
}
