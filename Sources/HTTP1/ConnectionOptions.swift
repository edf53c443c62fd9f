/// What the Connection fields of a head say (RFC 9110 §7.6.1).
import ByteText

package struct ConnectionOptions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let close = ConnectionOptions(rawValue: 1)
    package static let keepAlive = ConnectionOptions(rawValue: 2)
    package static let upgrade = ConnectionOptions(rawValue: 4)

    /// More than any client sends; it bounds the work of comparing options with fields.
    static var countLimit: Int { 32 }
}

extension FieldLines {
    /// Reads the options and marks the lines that they nominate. A name that anything is decided on is never marked.
    mutating func readConnectionOptions() throws(HTTPError) -> ConnectionOptions {
        var options: ConnectionOptions = []
        guard has(.connection) else { return options }
        var seen = 0
        for number in lines.indices where lines[number].name == .connection {
            var position = lines[number].valueRange.indices.lowerBound
            let end = lines[number].valueRange.indices.upperBound
            while position < end {
                let comma = bytes.span.extracting(0..<end).firstIndex(of: 0x2C, from: position) ?? end
                let option = bytes.span.trimmed(position..<comma)
                position = comma + 1
                if option.isEmpty { continue }
                seen += 1
                guard seen <= ConnectionOptions.countLimit else {
                    throw .tooManyConnectionOptions(limit: ConnectionOptions.countLimit)
                }
                options.formUnion(try read(option: option))
            }
        }
        return options
    }

    private mutating func read(option: Range<Int>) throws(HTTPError) -> ConnectionOptions {
        if let known = try knownOption(option) { return known }
        var number = 0
        while let nominated = nominatedLine(option, from: number) {
            lines[nominated].isNominated = true
            number = nominated + 1
        }
        return []
    }

    /// What an option says by itself, or nil if it nominates a field that nothing is decided on.
    private func knownOption(_ option: Range<Int>) throws(HTTPError) -> ConnectionOptions? {
        let text = bytes.span.extracting(option)
        guard text.isToken else { throw .malformedConnection }
        if text.equalsIgnoringCase("keep-alive") { return .keepAlive }
        if text.equalsIgnoringCase("close") { return .close }
        if text.equalsIgnoringCase("upgrade") { return .upgrade }
        return FieldName(bytes.span, option) == .other ? nil : []
    }

    private func nominatedLine(_ option: Range<Int>, from start: Int) -> Int? {
        let all = bytes.span
        var number = start
        while number < lines.count {
            let name = lines[number].nameRange.indices
            if lines[number].name == .other, name.count == option.count,
                all.extracting(name).equalsIgnoringCase(all.extracting(option))
            {
                return number
            }
            number += 1
        }
        return nil
    }
}

extension Span<UInt8> {
    /// Whether both are the same when ASCII letters of either case are.
    func equalsIgnoringCase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index].asciiLowercased != other[index].asciiLowercased { return false }
        return true
    }
}
