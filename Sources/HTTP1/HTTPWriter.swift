/// Writes heads and chunks into bytes that are reused: always anew from parts, never a slice of what a peer sent.
///
/// The law: a written head has exactly the lines that were asked for. Names are tokens by their source (literals,
/// parsed lines, checked configuration), and a control byte in a value that was not parsed by us becomes a space (RFC
/// 9110 §5.5).
import ByteText

package struct HTTPWriter: Sendable {
    package var bytes: [UInt8] = []

    package init() {}

    /// Forgets what was written and keeps the capacity.
    package mutating func reset() { bytes.removeAll(keepingCapacity: true) }

    // MARK: First lines

    /// `METHOD target HTTP/1.1`. Both parts come from a parsed request line or from checked configuration.
    package mutating func requestLine(_ method: Span<UInt8>, _ target: Span<UInt8>) {
        bytes.append(method)
        bytes.append(.space)
        bytes.append(target)
        bytes.append(" HTTP/1.1\r\n")
    }

    package mutating func requestLine(_ method: StaticString, _ target: Span<UInt8>) {
        bytes.append(method)
        bytes.append(.space)
        bytes.append(target)
        bytes.append(" HTTP/1.1\r\n")
    }

    /// The request line that says the same to the next server: in origin form, the path and query byte by byte.
    package mutating func requestLine(of head: borrowing RequestHead) {
        bytes.append(head[head.methodRange])
        bytes.append(.space)
        switch head.targetForm {
        case .origin, .asterisk: bytes.append(head[head.targetRange])
        case .absolute where head.pathRange.isEmpty && head.queryRange == nil && head.method == .options:
            // RFC 9112 §3.2.4
            bytes.append("*")
        case .absolute:
            if head.pathRange.isEmpty { bytes.append(.slash) }
            bytes.append(head[ByteRange(head.pathRange.indices.lowerBound..<head.targetRange.indices.upperBound)])
        }
        bytes.append(" HTTP/1.1\r\n")
    }

    /// `HTTP/1.1 status phrase`, with the registered phrase.
    package mutating func statusLine(_ status: Int) {
        let reason = StatusReason(status)
        if let line = reason.line {
            bytes.append(line)
        } else {
            beginStatusLine(status)
            bytes.append(reason.phrase)
            bytes.append("\r\n")
        }
    }

    /// `HTTP/1.1 status reason`, with the reason that a parsed response gave.
    package mutating func statusLine(_ status: Int, _ reason: Span<UInt8>) {
        beginStatusLine(status)
        bytes.append(reason)
        bytes.append("\r\n")
    }

    /// The status line of a parsed response.
    package mutating func statusLine(of head: borrowing ResponseHead) {
        statusLine(head.status, head[head.reasonRange])
    }

    private mutating func beginStatusLine(_ status: Int) {
        precondition((100...999).contains(status), "a status code has three digits")
        bytes.append("HTTP/1.1 ")
        bytes.append(decimal: UInt(status))
        bytes.append(.space)
    }

    // MARK: Fields

    package mutating func field(_ name: StaticString, _ value: StaticString) {
        unsafe appendLine(Self.bytes(of: name), Self.bytes(of: value))
    }

    package mutating func field(_ name: StaticString, decimal value: UInt64) {
        beginField(name)
        bytes.append(decimal: value)
        bytes.append("\r\n")
    }

    /// A value from anywhere; see the law.
    package mutating func field(_ name: StaticString, _ value: Span<UInt8>) {
        guard value.firstControl(from: 0) < value.count else { return append(name, value) }
        beginField(name)
        appendText(value)
        bytes.append("\r\n")
    }

    /// - Parameter name: a token, from checked configuration.
    package mutating func field(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        guard value.firstControl(from: 0) < value.count else { return append(name, value) }
        bytes.append(name)
        bytes.append(": ")
        appendText(value)
        bytes.append("\r\n")
    }

    /// A field line of a parsed head or trailer section; its value was found to have no control bytes.
    package mutating func field(_ line: FieldLine, of fields: borrowing FieldLines) {
        append(fields.name(of: line), fields.value(of: line))
    }

    /// Begins a field whose value is appended to `bytes` in pieces that hold no control bytes. `endField` ends it.
    package mutating func beginField(_ name: StaticString) {
        bytes.append(name)
        bytes.append(": ")
    }

    /// Appends a piece of a value; a control byte in it becomes a space.
    package mutating func appendText(_ value: Span<UInt8>) {
        let start = bytes.count
        bytes.append(value)
        var index = value.firstControl(from: 0)
        while index < value.count {
            bytes[start + index] = .space
            index = value.firstControl(from: index + 1)
        }
    }

    package mutating func endField() { bytes.append("\r\n") }

    package mutating func endOfHead() { bytes.append("\r\n") }

    /// One line in one go: looking after the array's room once a line and not once a piece halves the time.
    private mutating func append(_ name: Span<UInt8>, _ value: Span<UInt8>) {
        unsafe name.withUnsafeBufferPointer { name in
            unsafe value.withUnsafeBufferPointer { value in unsafe appendLine(name, value) }
        }
    }

    private mutating func append(_ name: StaticString, _ value: Span<UInt8>) {
        unsafe value.withUnsafeBufferPointer { value in unsafe appendLine(Self.bytes(of: name), value) }
    }

    private static func bytes(of text: StaticString) -> UnsafeBufferPointer<UInt8> {
        unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    private mutating func appendLine(_ name: UnsafeBufferPointer<UInt8>, _ value: UnsafeBufferPointer<UInt8>) {
        bytes.append(addingCapacity: name.count + value.count + 4) { (line: inout OutputSpan<UInt8>) in
            unsafe line.withUnsafeMutableBufferPointer { place, count in
                let colon = unsafe place[...].update(fromContentsOf: name)
                unsafe place[colon] = .colon
                unsafe place[colon + 1] = .space
                let end = unsafe place[(colon + 2)...].update(fromContentsOf: value)
                unsafe place[end] = .carriageReturn
                unsafe place[end + 1] = .lineFeed
                count = end + 2
            }
        }
    }
}
