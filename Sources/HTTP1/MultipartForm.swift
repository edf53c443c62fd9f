/// The fields of a multipart/form-data body (RFC 7578), which is what a page's FormData is sent as.
import ByteText

package struct MultipartForm {
    package typealias Field = (name: [UInt8], value: [UInt8])

    /// CRLF, two hyphens and the boundary.
    private let delimiter: [UInt8]

    /// Nil if it is another type, or has no boundary that could be one (RFC 2046 §5.1.1).
    ///
    /// - Parameter contentType: the field's value.
    package init?(contentType text: Span<UInt8>) {
        guard let type = FieldParameters(text),
            text.extracting(type.value).equalsIgnoringCase("multipart/form-data"),
            let boundary = type[Self.boundary.span, text], (1...70).contains(boundary.count),
            boundary.allSatisfy({ (0x20..<0x7F).contains($0) })
        else { return nil }
        delimiter = [0x0D, 0x0A, 0x2D, 0x2D] + boundary
    }

    /// Fields in their order, without those that are files.
    ///
    /// - Parameter limit: on parts.
    /// - Returns: nil if the body is not whole, not well-formed, or has too many parts.
    package func fields(of body: Span<UInt8>, limit: Int) -> [Field]? {
        // The first delimiter needs no line in front of it.
        let opensAtOnce = starts(body, at: 0, with: delimiter[2...])
        guard var position = opensAtOnce ? delimiter.count - 2 : behindDelimiter(body, from: 0)?.end else { return nil }
        var fields: [Field] = []
        for _ in 0...limit {
            if starts(body, at: position, with: [0x2D, 0x2D]) { return fields }
            while position < body.count, body[position].isBlank { position += 1 }
            guard starts(body, at: position, with: [0x0D, 0x0A]) else { return nil }
            position += 2
            guard let name = Self.name(body, &position), let next = behindDelimiter(body, from: position) else {
                return nil
            }
            if case .field(let name) = name { fields.append((name, body.extracting(position..<next.start).array)) }
            position = next.end
        }
        return nil
    }

    // MARK: Delimiters

    /// Where the next delimiter begins, and where what follows its boundary does. A line that only begins like one is
    /// content.
    private func behindDelimiter(_ body: Span<UInt8>, from start: Int) -> (start: Int, end: Int)? {
        var index = start
        while let found = body.firstIndex(of: 0x0D, from: index) {
            let end = found + delimiter.count
            if starts(body, at: found, with: delimiter[...]), end < body.count,
                body[end] == 0x2D || body[end] == 0x0D || body[end].isBlank
            {
                return (found, end)
            }
            index = found + 1
        }
        return nil
    }

    private func starts(_ body: Span<UInt8>, at position: Int, with text: ArraySlice<UInt8>) -> Bool {
        guard position + text.count <= body.count else { return false }
        for (offset, byte) in text.enumerated() where body[position + offset] != byte { return false }
        return true
    }

    // MARK: The head of a part

    private enum Part {
        case field([UInt8])
        case file
    }

    private static let boundary = Array("boundary".utf8)
    private static let fieldName = Array("name".utf8)
    private static let fileName = Array("filename".utf8)
    private static let longFileName = Array("filename*".utf8)

    /// Reads the head of a part up to its empty line.
    ///
    /// - Returns: nil if it is not whole, or not one part of a form.
    private static func name(_ body: Span<UInt8>, _ position: inout Int) -> Part? {
        var part: Part?
        while true {
            guard let end = body.firstIndex(of: 0x0D, from: position), end + 1 < body.count, body[end + 1] == 0x0A
            else { return nil }
            let line = body.extracting(position..<end)
            position = end + 2
            if line.count == 0 { return part }
            guard let colon = line.firstIndex(of: 0x3A) else { return nil }
            if line.extracting(0..<colon).equalsIgnoringCase("content-disposition") {
                guard part == nil, let found = disposition(line.extracting((colon + 1)...)) else { return nil }
                part = found
            } else if line.extracting(0..<colon).equalsIgnoringCase("content-transfer-encoding") {
                // RFC 7578 §4.7 has done away with it; what it encodes would be taken for the value.
                return nil
            }
        }
    }

    private static func disposition(_ text: Span<UInt8>) -> Part? {
        guard let disposition = FieldParameters(text),
            text.extracting(disposition.value).equalsIgnoringCase("form-data"),
            let name = disposition[fieldName.span, text]
        else { return nil }
        let isFile = disposition[fileName.span, text] != nil || disposition[longFileName.span, text] != nil
        return isFile ? .file : .field(unescaped(name))
    }

    /// Browsers write `%22`, `%0D` and `%0A` for the three bytes that can't stand in a name (HTML, multipart/form-data
    /// encoding algorithm).
    private static func unescaped(_ name: [UInt8]) -> [UInt8] {
        var plain: [UInt8] = []
        var index = 0
        while index < name.count {
            let escape = name[index...].prefix(3)
            let byte: UInt8? =
                escape.elementsEqual("%22".utf8)
                ? 0x22 : escape.elementsEqual("%0D".utf8) ? 0x0D : escape.elementsEqual("%0A".utf8) ? 0x0A : nil
            plain.append(byte ?? name[index])
            index += byte == nil ? 1 : 3
        }
        return plain
    }
}
