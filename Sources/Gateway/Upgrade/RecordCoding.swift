/// Values as bytes and back, for records between two processes of this program: numbers in their least bytes first,
/// texts and lists behind their length. No names, no versions of single fields: both ends have the same format or none.
import ByteText
import Polling

package struct RecordWriter {
    package private(set) var bytes: [UInt8] = []

    mutating func put(_ number: UInt64) {
        for shift: UInt64 in stride(from: 0, to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: number >> shift)) }
    }

    mutating func put(_ byte: UInt8) { bytes.append(byte) }
    mutating func put(_ number: Int64) { put(UInt64(bitPattern: number)) }
    mutating func put(_ flag: Bool) { put(flag ? 1 : 0 as UInt8) }
    mutating func put(_ moment: Moment) { put(moment.nanoseconds) }
    mutating func put(_ text: String) { put(Array(text.utf8)) }
    mutating func put(_ name: ChannelName) { put(name.bytes) }

    mutating func put(_ text: [UInt8]) {
        put(UInt64(text.count))
        bytes += text
    }

    mutating func put<Value>(_ value: Value?, _ put: (Value, inout RecordWriter) -> Void) {
        self.put(value != nil)
        if let value { put(value, &self) }
    }

    mutating func put(_ text: [UInt8]?) { put(text) { $1.put($0) } }

    mutating func put<Value>(all values: [Value], _ put: (Value, inout RecordWriter) -> Void) {
        self.put(UInt64(values.count))
        for value in values { put(value, &self) }
    }
}

/// A record that is none of this format.
package struct RecordError: Error, Equatable, CustomStringConvertible {
    /// Of the byte that does not fit.
    package let offset: Int

    package var description: String { "a record is not understood at offset \(offset)" }
}

package struct RecordReader {
    private let bytes: [UInt8]
    private var position = 0

    package init(_ bytes: [UInt8]) { self.bytes = bytes }

    var fault: RecordError { RecordError(offset: position) }
    var isAtEnd: Bool { position == bytes.count }

    mutating func byte() throws(RecordError) -> UInt8 {
        guard position < bytes.count else { throw fault }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number() throws(RecordError) -> UInt64 {
        guard bytes.count - position >= 8 else { throw fault }
        var number: UInt64 = 0
        for index in 0..<8 { number |= UInt64(bytes[position + index]) << (8 * UInt64(index)) }
        position += 8
        return number
    }

    mutating func signed() throws(RecordError) -> Int64 { Int64(bitPattern: try number()) }
    mutating func moment() throws(RecordError) -> Moment { Moment(nanoseconds: try signed()) }

    mutating func flag() throws(RecordError) -> Bool {
        let byte = try byte()
        guard byte <= 1 else { throw fault }
        return byte == 1
    }

    mutating func text() throws(RecordError) -> [UInt8] {
        let count = try number()
        guard count <= UInt64(bytes.count - position) else { throw fault }
        defer { position += Int(count) }
        return Array(bytes[position..<position + Int(count)])
    }

    mutating func string() throws(RecordError) -> String { String(decoding: try text(), as: UTF8.self) }

    mutating func name() throws(RecordError) -> ChannelName {
        let text = try text()
        guard let name = ChannelName(orNil: text.span) else { throw fault }
        return name
    }

    mutating func optional<Value>(
        _ read: (inout RecordReader) throws(RecordError) -> Value
    ) throws(RecordError) -> Value? {
        try flag() ? try read(&self) : nil
    }

    mutating func optionalText() throws(RecordError) -> [UInt8]? { try flag() ? try text() : nil }

    mutating func all<Value>(
        _ read: (inout RecordReader) throws(RecordError) -> Value
    ) throws(RecordError) -> [Value] {
        let count = try number()
        // Each takes a byte at least.
        guard count <= UInt64(bytes.count - position) else { throw fault }
        var values: [Value] = []
        values.reserveCapacity(Int(count))
        for _ in 0..<count { values.append(try read(&self)) }
        return values
    }
}
