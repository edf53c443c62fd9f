import ByteText
import Testing

@testable import HTTP1

struct FieldNameTests {
    private func lookUp(_ text: String) -> FieldName {
        let bytes = Array("x\(text):".utf8)
        return FieldName(bytes.span, 1..<bytes.count - 1)
    }

    @Test(arguments: FieldName.allCases.filter { $0 != .other })
    func `a known name is found in any case`(name: FieldName) {
        let text = name.text.description
        #expect(lookUp(text) == name)
        #expect(lookUp(text.uppercased()) == name)
        #expect(lookUp(text.capitalized) == name)
    }

    @Test(arguments: FieldName.allCases.filter { $0 != .other })
    func `a name with one other byte is another name`(name: FieldName) {
        let text = Array(name.text.description.utf8)
        for place in text.indices {
            for byte in UInt8.min...UInt8.max
            where ByteSet.token.contains(byte) && byte.asciiLowercased != text[place] {
                var changed = text
                changed[place] = byte
                #expect(FieldName(changed.span, 0..<changed.count) != name)
            }
        }
        #expect(lookUp(name.text.description + "s") != name)
        #expect(lookUp(String(name.text.description.dropLast())) != name)
    }

    @Test func `unknown names of every length are other`() {
        for length in 1...40 { #expect(lookUp(String(repeating: "q", count: length)) == .other) }
    }

    @Test func `the names fit into one word of bits`() {
        #expect(FieldName.allCases.count <= 64)
    }

    @Test func `what frames or routes may not stand in a trailer section`() {
        for name in [FieldName.contentLength, .transferEncoding, .host, .connection, .authorization, .setCookie] {
            #expect(!name.isTrailer)
        }
        #expect(FieldName.other.isTrailer)
    }
}
