/// JSON: judged as an obvious parser judges it, cut into values that are JSON themselves, and no trap on anything else.
import ByteText
import JSONText
import SharedByTests

enum JSONLaws {
    static func check(_ bytes: [UInt8]) throws {
        var error: JSONError?
        do throws(JSONError) { try JSONValidator.validate(bytes.span) } catch let found { error = found }
        if let error {
            try require((0...bytes.count).contains(error.offset), "an error at \(error.offset) of \(bytes.count) bytes")
            if case .tooDeep = error { return }
            // Nothing follows from a walk through other bytes, but it ends.
            if let root = JSONSlice.root(of: bytes.span) { _ = try walk(root, in: bytes, isValid: false) }
        }
        try require(PlainValidator.accepts(bytes) == (error == nil), "the plain validator differs: \(error as Any)")
        guard error == nil else { return }
        guard let root = JSONSlice.root(of: bytes.span) else { throw BrokenLaw(description: "valid, but no root") }
        _ = try walk(root, in: bytes, isValid: true)
        try checkPointers(root, in: bytes)
        try checkEscaping(bytes)
    }

    /// Visits all values below `root`, without recursion.
    private static func walk(_ root: JSONSlice, in bytes: [UInt8], isValid: Bool) throws -> Int {
        var waiting = [root]
        var count = 0
        while let value = waiting.popLast(), count <= bytes.count {
            count += 1
            if isValid { try checkValue(value, in: bytes) }
            _ = value.isEmpty(in: bytes.span)
            _ = value.scalarText(in: bytes.span)
            var end = value.range.lowerBound
            var inner: [JSONSlice] = []
            var members = JSONMembers(of: value)
            while let member = members.next(in: bytes.span) {
                _ = member.keyEquals("a", in: bytes.span)
                inner += [member.key, member.value]
            }
            var elements = JSONElements(of: value)
            while let element = elements.next(in: bytes.span) { inner.append(element) }
            guard isValid else { continue }
            for slice in inner {
                try require(
                    slice.range.lowerBound > end && slice.range.upperBound < value.range.upperBound,
                    "\(slice.range) is not inside \(value.range) behind \(end)")
                end = slice.range.upperBound - 1
            }
            let isContainer = value.kind == .object || value.kind == .array
            try require(!isContainer || value.isEmpty(in: bytes.span) == inner.isEmpty, "emptiness of \(value.range)")
            waiting += inner
        }
        return count
    }

    private static func checkValue(_ value: JSONSlice, in bytes: [UInt8]) throws {
        let part = Array(bytes[value.range])
        do throws(JSONError) {
            try JSONValidator.validate(part.span)
        } catch {
            throw BrokenLaw(description: "the value at \(value.range) is no JSON: \(error)")
        }
        guard let text = value.unescaped(in: bytes.span) else { return }
        try require(text.span.isUTF8, "the text at \(value.range) is no UTF-8")
        try checkEscaping(text)
    }

    /// Text in a string comes out of it as itself.
    private static func checkEscaping(_ text: [UInt8]) throws {
        guard text.span.isUTF8 else { return }
        var written: [UInt8] = []
        written.append(jsonEscaped: text.span)
        do throws(JSONError) {
            try JSONValidator.validate(written.span)
        } catch {
            throw BrokenLaw(description: "written as \(written) it is no JSON: \(error)")
        }
        try require(JSONSlice.root(of: written.span)?.unescaped(in: written.span) == text, "\(text) is read otherwise")
        try require(!written.contains { $0 < 0x20 }, "a control byte in \(written)")
    }

    /// A pointer leads to the last member of each name, and to each element.
    private static func checkPointers(_ root: JSONSlice, in bytes: [UInt8]) throws {
        // By bytes, since Swift's strings take a slash with an accent for another letter than a slash.
        var expected: [[UInt8]: JSONSlice] = [:]
        var members = JSONMembers(of: root)
        while let member = members.next(in: bytes.span) {
            guard let key = member.key.unescaped(in: bytes.span) else { continue }
            expected[pointer(to: key)] = member.value
        }
        var elements = JSONElements(of: root)
        var index = 0
        while let element = elements.next(in: bytes.span) {
            expected[pointer(to: Array("\(index)".utf8))] = element
            index += 1
        }
        // Each look-up is a walk.
        for (text, value) in expected.prefix(20) {
            let text = String(decoding: text, as: UTF8.self)
            let found = JSONPointer(text)?.follow(in: bytes.span)
            try require(found == value, "\(text) leads to \(found as Any) and not to \(value)")
        }
    }

    private static func pointer(to key: [UInt8]) -> [UInt8] {
        Array("/".utf8)
            + key.flatMap { byte -> [UInt8] in
                switch byte {
                case UInt8(ascii: "~"): Array("~0".utf8)
                case UInt8(ascii: "/"): Array("~1".utf8)
                default: [byte]
                }
            }
    }
}
