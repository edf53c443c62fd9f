import ByteText
import HTTP1
import Testing

/// Forms as browsers and scripts send them, in words; `⏎` is CRLF.
struct MultipartFormTests {
    static func text(_ body: String) -> [UInt8] { Array(body.replacing("⏎", with: "\r\n").utf8) }

    static func words(_ body: [UInt8], type: String = "multipart/form-data; boundary=XX") -> String {
        let type = Array(type.utf8)
        guard let form = MultipartForm(contentType: type.span) else { return "no form" }
        guard let fields = form.fields(of: body.span, limit: 4) else { return "broken" }
        return fields.map { name, value in
            "\(String(decoding: name, as: UTF8.self))=\(String(decoding: value, as: UTF8.self))"
        }.joined(separator: "&")
    }

    static let part = "Content-Disposition: form-data; name="

    static let whole = [
        ("--XX⏎\(part)\"room\"⏎⏎7⏎--XX⏎\(part)\"text\"⏎⏎hi⏎--XX--⏎", "room=7&text=hi"),
        ("--XX⏎\(part)room⏎⏎7⏎--XX--", "room=7"),
        ("--XX⏎\(part)\"a\"⏎⏎⏎--XX--⏎", "a="),
        ("--XX⏎\(part)\"a\"⏎⏎1⏎2⏎--XY⏎--XXX⏎⏎--XX--⏎", "a=1\r\n2\r\n--XY\r\n--XXX\r\n"),
        ("for old readers⏎--XX \t⏎content-type: text/plain⏎content-disposition:form-data;name=a⏎⏎1⏎--XX--⏎end", "a=1"),
        ("--XX⏎\(part)\"f\"; filename=\"C:\\a.txt\"⏎Content-Type: text/plain⏎⏎x⏎--XX⏎\(part)\"a\"⏎⏎1⏎--XX--⏎", "a=1"),
        ("--XX⏎\(part)\"f\"; filename*=UTF-8''a⏎⏎x⏎--XX--⏎", ""),
        ("--XX⏎\(part)\"a%22b\\\"c\\\\\"⏎⏎1⏎--XX--⏎", "a\"b\"c\\=1"),
        ("--XX⏎\(part)\"a\"⏎⏎1⏎--XX⏎\(part)\"a\"⏎⏎2⏎--XX--⏎", "a=1&a=2"),
        ("--XX--⏎", ""),
    ]

    @Test(arguments: whole) func `fields are read in their order, files passed over`(body: String, fields: String) {
        #expect(Self.words(Self.text(body)) == fields)
    }

    @Test(arguments: whole) func `a body that is cut anywhere before its end has no fields`(body: String, fields: String)
        throws
    {
        let bytes = Self.text(body)
        let end = try #require(body.ranges(of: "--XX--").last.map { Self.text(String(body[..<$0.upperBound])).count })
        for count in 0..<end { #expect(Self.words(Array(bytes[..<count])) == "broken", "cut at \(count)") }
        for count in end...bytes.count { #expect(Self.words(Array(bytes[..<count])) == fields) }
    }

    @Test(arguments: [
        "", "--XX", "--XX⏎⏎1⏎--XX--⏎", "--XX⏎\(part)\"a⏎⏎1⏎--XX--⏎", "--XX⏎Content-Disposition: form-data⏎⏎1⏎--XX--⏎",
        "--XX⏎Content-Disposition: attachment; name=a⏎⏎1⏎--XX--⏎", "--XX⏎\(part)a; name=b⏎⏎1⏎--XX--⏎",
        "--XX⏎\(part)a⏎\(part)b⏎⏎1⏎--XX--⏎", "--XX⏎\(part)a⏎Content-Transfer-Encoding: base64⏎⏎MQ==⏎--XX--⏎",
        "--XX⏎no colon⏎⏎1⏎--XX--⏎", "--XX\n\(part)a\n\n1\n--XX--\n",
        String(repeating: "--XX⏎\(part)a⏎⏎1⏎", count: 5) + "--XX--⏎",
    ])
    func `what is not well-formed has none`(body: String) { #expect(Self.words(Self.text(body)) == "broken") }

    @Test(arguments: [
        ("multipart/form-data; boundary=\"X X\"", "--X X⏎\(part)a⏎⏎1⏎--X X--", "a=1"),
        ("Multipart/Form-Data;BOUNDARY=XX; charset=utf-8", "--XX⏎\(part)a⏎⏎1⏎--XX--", "a=1"),
        ("multipart/form-data", "--XX--", "no form"), ("multipart/form-data; boundary=", "--XX--", "no form"),
        ("multipart/form-data; boundary=a; boundary=XX", "--XX--", "no form"),
        ("multipart/mixed; boundary=XX", "--XX--", "no form"),
        ("multipart/form-data; boundary=\(String(repeating: "x", count: 71))", "--XX--", "no form"),
    ])
    func `the boundary is the type's parameter`(type: String, body: String, fields: String) {
        #expect(Self.words(Self.text(body), type: type) == fields)
    }
}
