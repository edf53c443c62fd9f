import JSONText
import SharedByTests
import Testing

struct JSONTextTests {
    func error(_ text: String, depthLimit: Int = JSONValidator.depthLimit) -> JSONError? {
        let bytes = Array(text.utf8)
        do { try JSONValidator.validate(bytes.span, depthLimit: depthLimit) } catch { return error }
        return nil
    }

    static let valid = [
        "0", "-0", "1.5e-3", "1E+2", "\"\"", "\"a\\u00e9\\n\"", "true", "false", "null", "[]", "{}", " [ 1 , 2 ] ",
        "{\"a\":{\"b\":[{}]},\"c\":\"]\"}", "\"\\ud83d\\ude00\"", "\"\\ud800\"", "\"é😀\"", "[[[[]]]]",
        "{\"\":[true,false,null,-1.0e0]}",
    ]

    @Test(arguments: valid)
    func `a valid text is accepted, and no beginning of it that an obvious parser refuses`(text: String) {
        #expect(error(text) == nil)
        let bytes = Array(text.utf8)
        for end in 0..<bytes.count {
            let part = Array(bytes[..<end])
            var accepted = true
            do { try JSONValidator.validate(part.span) } catch { accepted = false }
            #expect(accepted == PlainValidator.accepts(part), "cut at \(end)")
        }
    }

    @Test(arguments: [
        ("", "it ends at byte 0, inside a value"), ("[1,]", "byte 93 at offset 3, where a value was expected"),
        ("{\"a\" 1}", "byte 49 at offset 5, where a colon was expected"),
        ("1 2", "something follows the value, at offset 2"),
        ("01", "something follows the value, at offset 1"),
        ("{a:1}", "byte 97 at offset 1, where a member's name in quotes was expected"),
        ("[1}", "byte 125 at offset 2, where a comma or the end of the object or list was expected"),
        ("\"\t\"", "byte 9 at offset 1, where no control character inside a string was expected"),
        ("\"\\x\"", "byte 120 at offset 2, where one of the escapes of JSON was expected"),
        ("\"\\u12g4\"", "byte 103 at offset 5, where four hexadecimal digits was expected"),
        ("tru", "it ends at byte 3, inside a value"),
        ("trux", "byte 116 at offset 0, where true, false or null was expected"),
        ("\u{FEFF}1", "byte 239 at offset 0, where a value was expected"),
        ("+1", "byte 43 at offset 0, where a value was expected"),
        ("1.", "it ends at byte 2, inside a value"), ("-", "it ends at byte 1, inside a value"),
    ])
    func `a broken text is refused with the place and what was expected`(text: String, message: String) {
        #expect(error(text).map { "\($0)" } == message)
    }

    @Test(
        arguments: [
            [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22], [0x22, 0xFF, 0x22],
            [0x22, 0xF5, 0x80, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x28, 0xA1, 0x22],
        ] as [[UInt8]])
    func `bytes that are no UTF-8 are refused`(bytes: [UInt8]) {
        #expect(throws: JSONError.badUTF8(offset: 1)) { try JSONValidator.validate(bytes.span) }
    }

    @Test func `nesting is bounded, at the limit and one beyond it, and costs no stack`() {
        let fits = String(repeating: "[", count: 128) + String(repeating: "]", count: 128)
        #expect(error(fits) == nil)
        #expect(error("[" + fits + "]") == .tooDeep(limit: 128, offset: 128))
        #expect(error(String(repeating: "[", count: 100_000)) == .tooDeep(limit: 128, offset: 128))
        #expect(error(String(repeating: "{\"a\":", count: 100_000)) == .tooDeep(limit: 128, offset: 640))
    }

    @Test func `random mutations are judged as an obvious parser judges them`() {
        let seed = UInt64.random(in: 0..<1 << 32)
        var random = Seeded(state: seed)
        let bytes: [UInt8] = Array("{}[]\":,\\u0019eE+-.tfn \u{7F}é\n".utf8) + [0xFF, 0x00, 0xC3]
        for _ in 0..<20_000 {
            var text = Array(Self.valid.randomElement(using: &random)!.utf8)
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let place = Int.random(in: 0...text.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: text.insert(bytes.randomElement(using: &random)!, at: place)
                case 1 where place < text.count: text.remove(at: place)
                case _ where place < text.count: text[place] = bytes.randomElement(using: &random)!
                default: break
                }
            }
            var accepted = true
            do { try JSONValidator.validate(text.span) } catch { accepted = false }
            #expect(accepted == PlainValidator.accepts(text), "seed \(seed): \(String(decoding: text, as: UTF8.self))")
        }
    }

    func follow(_ pointer: String, _ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard let value = JSONPointer(pointer)?.follow(in: bytes.span) else { return nil }
        return String(decoding: bytes[value.range], as: UTF8.self)
    }

    /// RFC 6901 §5.
    static let document = #"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#

    @Test(
        arguments: [
            ("", document), ("/foo", #"["bar","baz"]"#), ("/foo/0", "\"bar\""), ("/", "0"), ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"), ("/g|h", "4"), ("/i\\j", "5"), ("/k\"l", "6"), ("/ ", "7"), ("/m~0n", "8"), ("/foo/2", nil),
            ("/foo/00", nil), ("/foo/-", nil), ("/foo/0/x", nil), ("/nothing", nil), ("foo", nil), ("/m~2n", nil),
            ("/m~", nil),
        ] as [(String, String?)])
    func `pointers lead where RFC 6901 says`(pointer: String, value: String?) {
        #expect(follow(pointer, Self.document) == value)
    }

    @Test func `of members with one name the last counts for a pointer`() {
        #expect(follow("/a", #"{"a":1,"\u0061":2}"#) == "2")
    }

    @Test(arguments: [
        ("plain", #""plain""#), ("a\"b\\c", #""a\"b\\c""#), ("\n\r\t\u{1}\u{1F}", #""\n\r\t\u0001\u001f""#),
        ("é😀", "\"é😀\""), ("\u{2028}x\u{2029}", #""\u2028x\u2029""#), ("", "\"\""),
    ])
    func `text is escaped so that it reads back as itself`(text: String, escaped: String) {
        var bytes: [UInt8] = []
        bytes.append(jsonText: text)
        #expect(String(decoding: bytes, as: UTF8.self) == escaped)
        #expect(JSONSlice.root(of: bytes.span)?.unescaped(in: bytes.span) == Array(text.utf8))
        #expect(self.error(escaped) == nil)
    }

    @Test(arguments: [
        (#""\ud83d\ude00""#, "😀"), (#""\ud800""#, "\u{FFFD}"), (#""\ud800\u0041""#, "\u{FFFD}A"),
        (#""\udc00x""#, "\u{FFFD}x"),
        (#""\u00e9\/\b\f""#, "é/\u{8}\u{C}"),
    ])
    func `escapes become what they stand for`(json: String, text: String) {
        let bytes = Array(json.utf8)
        #expect(JSONSlice.root(of: bytes.span)?.unescaped(in: bytes.span) == Array(text.utf8))
    }

    @Test func `members and elements are walked without a tree`() {
        let bytes = Array(#" { "a" : [1, {"b":"}"} ,"x"] , "\u0062":null, "c":{} } "#.utf8)
        var names: [String] = []
        if let root = JSONSlice.root(of: bytes.span) {
            var members = JSONMembers(of: root)
            while let member = members.next(in: bytes.span) {
                names.append(String(decoding: bytes[member.value.range], as: UTF8.self))
                if member.keyEquals("b", in: bytes.span) { names.append("b") }
                var elements = JSONElements(of: member.value)
                while let element = elements.next(in: bytes.span) {
                    names.append(String(decoding: bytes[element.range], as: UTF8.self))
                }
            }
        }
        #expect(names == [#"[1, {"b":"}"} ,"x"]"#, "1", #"{"b":"}"}"#, "\"x\"", "null", "b", "{}"])
    }

    @Test(arguments: [
        ("null", true), ("\"\"", true), ("[ ]", true), ("{\n}", true), ("0", false), ("false", false), ("[0]", false),
        ("\" \"", false),
    ])
    func `an empty value is null or holds nothing`(json: String, isEmpty: Bool) {
        let bytes = Array(json.utf8)
        #expect(JSONSlice.root(of: bytes.span)?.isEmpty(in: bytes.span) == isEmpty)
    }
}
