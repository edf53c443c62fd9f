/// A value's place inside validated JSON, and ways into it without building a tree.
///
/// Everything here expects bytes that `JSONValidator` has passed, and only then means something; on other bytes it ends
/// early but never traps.
import ByteText

package struct JSONSlice: Hashable, Sendable {
    package enum Kind: Sendable {
        case object
        case array
        case string
        case number
        case `true`
        case `false`
        case null
    }

    package let kind: Kind
    /// The value's bytes, without white space around it.
    package let range: Range<Int>

    /// The one value of a text.
    package static func root(of bytes: Span<UInt8>) -> JSONSlice? {
        JSONSlice(at: bytes.skippingSpace(from: 0), in: bytes)
    }

    /// The value that begins at `start`; nil where none does.
    init?(at start: Int, in bytes: Span<UInt8>) {
        guard start < bytes.count else { return nil }
        let kind: Kind
        switch bytes[start] {
        case 0x7B: kind = .object
        case 0x5B: kind = .array
        case 0x22: kind = .string
        case 0x74: kind = .true
        case 0x66: kind = .false
        case 0x6E: kind = .null
        case 0x2D, 0x30...0x39: kind = .number
        default: return nil
        }
        self.kind = kind
        range = start..<bytes.endOfJSONValue(from: start, kind)
    }

    /// A string's text with its escapes resolved, as UTF-8; a lone surrogate becomes U+FFFD. Nil for another kind.
    package func unescaped(in bytes: Span<UInt8>) -> [UInt8]? {
        guard kind == .string, range.count >= 2 else { return nil }
        return bytes.extracting((range.lowerBound + 1)..<(range.upperBound - 1)).jsonUnescaped
    }

    /// What a template makes of the value: a string's text, a number or truth value as it is written; nil for null, a
    /// list or an object.
    package func scalarText(in bytes: Span<UInt8>) -> [UInt8]? {
        switch kind {
        case .string: unescaped(in: bytes)
        case .number, .true, .false: bytes.extracting(range).array
        case .null, .object, .array: nil
        }
    }

    /// null, an empty string, list or object.
    package func isEmpty(in bytes: Span<UInt8>) -> Bool {
        switch kind {
        case .null: true
        case .string: range.count == 2
        case .array, .object: bytes.skippingSpace(from: range.lowerBound + 1) == range.upperBound - 1
        case .number, .true, .false: false
        }
    }
}

/// An object's members in their order.
package struct JSONMembers {
    package struct Member {
        /// The name as it is written, with its quotes.
        package let key: JSONSlice
        package let value: JSONSlice

        /// Whether the name is `name`, whatever escapes it is written with.
        package func keyEquals(_ name: StaticString, in bytes: Span<UInt8>) -> Bool {
            let written = bytes.extracting((key.range.lowerBound + 1)..<(key.range.upperBound - 1))
            if written.firstIndex(of: 0x5C) == nil { return written.equals(name) }
            return written.jsonUnescaped.span.equals(name)
        }
    }

    private var position: Int

    /// - Parameter object: of another kind, it has no members.
    package init(of object: JSONSlice) { position = object.kind == .object ? object.range.lowerBound + 1 : .max }

    package mutating func next(in bytes: Span<UInt8>) -> Member? {
        guard position < bytes.count else { return nil }
        position = bytes.skippingSpace(from: position)
        if position < bytes.count, bytes[position] == 0x2C { position = bytes.skippingSpace(from: position + 1) }
        guard let key = JSONSlice(at: position, in: bytes), key.kind == .string, key.range.count >= 2 else {
            return nil
        }
        let colon = bytes.skippingSpace(from: key.range.upperBound)
        guard let value = JSONSlice(at: bytes.skippingSpace(from: colon + 1), in: bytes) else { return nil }
        position = value.range.upperBound
        return Member(key: key, value: value)
    }
}

/// A list's elements in their order.
package struct JSONElements {
    private var position: Int

    /// - Parameter array: of another kind, it has no elements.
    package init(of array: JSONSlice) { position = array.kind == .array ? array.range.lowerBound + 1 : .max }

    package mutating func next(in bytes: Span<UInt8>) -> JSONSlice? {
        guard position < bytes.count else { return nil }
        position = bytes.skippingSpace(from: position)
        if position < bytes.count, bytes[position] == 0x2C { position = bytes.skippingSpace(from: position + 1) }
        guard let element = JSONSlice(at: position, in: bytes) else { return nil }
        position = element.range.upperBound
        return element
    }
}

extension Span<UInt8> {
    func skippingSpace(from start: Int) -> Int {
        var index = start
        while index < count, self[index] == 0x20 || (0x09...0x0D).contains(self[index]) { index += 1 }
        return index
    }

    /// The offset behind a value of validated JSON.
    fileprivate func endOfJSONValue(from start: Int, _ kind: JSONSlice.Kind) -> Int {
        switch kind {
        case .true, .null: return Swift.min(start + 4, count)
        case .false: return Swift.min(start + 5, count)
        case .string: return endOfJSONString(from: start)
        case .number:
            var index = start + 1
            while index < count {
                switch self[index] {
                case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x45, 0x65: index += 1
                default: return index
                }
            }
            return index
        case .object, .array:
            var depth = 0
            var index = start
            while index < count {
                switch self[index] {
                case 0x22: index = endOfJSONString(from: index)
                case 0x7B, 0x5B:
                    depth += 1
                    index += 1
                case 0x7D, 0x5D:
                    depth -= 1
                    index += 1
                    if depth == 0 { return index }
                default: index += 1
                }
            }
            return index
        }
    }

    private func endOfJSONString(from start: Int) -> Int {
        var index = start + 1
        while index < count {
            switch self[index] {
            case 0x22: return index + 1
            case 0x5C: index += 2
            default: index += 1
            }
        }
        return count
    }
}
