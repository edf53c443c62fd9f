/// The field lines of one section (head or trailers), in the order in which they came, as ranges into its bytes.
///
/// A value is meant to be kept and parsed into again and again: its two arrays keep their capacity, so that in the
/// steady state a head costs one copy of its bytes and no allocation.
package import ByteText

package struct FieldLines: Sendable {
    /// The section's bytes; in a head that includes its first line.
    package internal(set) var bytes: [UInt8] = []
    package internal(set) var lines: [FieldLine] = []
    /// Bit n is set if there is a line with `FieldName(rawValue: n)`, so that absent names are found absent at once.
    private(set) var present: UInt64 = 0

    package init() {}

    package var count: Int { lines.count }
    package var isEmpty: Bool { lines.isEmpty }

    /// Whether there is a line of that name. O(1).
    package func has(_ name: FieldName) -> Bool { present & Self.bit(name) != 0 }

    /// The first line of that name, or nil.
    package func first(of name: FieldName) -> FieldLine? {
        guard has(name) else { return nil }
        for line in lines where line.name == name { return line }
        return nil
    }

    /// How many lines have that name.
    package func count(of name: FieldName) -> Int {
        guard has(name) else { return 0 }
        var found = 0
        for line in lines where line.name == name { found += 1 }
        return found
    }

    /// Index of the first line at or behind `start` whose name is `name`, given in lower case; nil if there is none. To
    /// visit all lines of a name, go on behind the last one found.
    package func index(of name: StaticString, from start: Int = 0) -> Int? {
        let all = bytes.span
        var index = start
        while index < lines.count {
            if all.extracting(lines[index].nameRange.indices).equalsIgnoringCase(name) { return index }
            index += 1
        }
        return nil
    }

    /// As above, for a name that is only known at run time. `name` is in lower case.
    package func index(of name: Span<UInt8>, from start: Int = 0) -> Int? {
        let all = bytes.span
        var index = start
        while index < lines.count {
            if all.extracting(lines[index].nameRange.indices).equalsLowercase(name) { return index }
            index += 1
        }
        return nil
    }

    package func first(of name: StaticString) -> FieldLine? { index(of: name).map { lines[$0] } }

    package func first(of name: Span<UInt8>) -> FieldLine? { index(of: name).map { lines[$0] } }

    /// The bytes at a range that this section's parser returned.
    package subscript(_ range: ByteRange) -> Span<UInt8> {
        @_lifetime(borrow self)
        get { bytes.span.extracting(range.indices) }
    }

    /// The line's name as it was sent.
    @_lifetime(borrow self)
    package func name(of line: FieldLine) -> Span<UInt8> { bytes.span.extracting(line.nameRange.indices) }

    @_lifetime(borrow self)
    package func value(of line: FieldLine) -> Span<UInt8> { bytes.span.extracting(line.valueRange.indices) }

    /// The known name that an application takes this line for if its gateway writes whatever is neither letter nor
    /// digit as `_` (CGI, PHP and WSGI do so with the hyphen, some servers with every such byte); `.other` if none.
    package func lookalike(of line: FieldLine) -> FieldName {
        guard line.hasOddByte else { return .other }
        var name = self[line.nameRange].array
        for index in name.indices where !name[index].isASCIILetter && !name[index].isDecimalDigit {
            name[index] = 0x2D
        }
        return FieldName(name.span, 0..<name.count)
    }

    mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        lines.removeAll(keepingCapacity: true)
        present = 0
    }

    mutating func append(_ line: FieldLine) {
        lines.append(line)
        present |= Self.bit(line.name)
    }

    @inline(__always)
    private static func bit(_ name: FieldName) -> UInt64 { 1 &<< UInt64(name.rawValue) }
}

extension Span<UInt8> {
    /// Whether these bytes in lower case are `other`, which is in lower case already.
    func equalsLowercase(_ other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index].asciiLowercased != other[index] { return false }
        return true
    }
}
