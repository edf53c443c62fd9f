import ByteText
import Gateway
import Polling
import Testing

struct PublishDecoderTests {
    func decode(
        _ body: String, channel: String? = nil, type: String? = "application/json", key: String? = nil
    ) throws -> (items: [PublishItem], isList: Bool) {
        try PublishDecoder.items(
            body: Array(body.utf8), channel: channel.map { Array($0.utf8) }, contentType: type.map { Array($0.utf8) },
            key: key.map { Array($0.utf8) })
    }

    func summary(_ item: PublishItem) -> String {
        let payload = String(decoding: item.payload, as: UTF8.self)
        let type = item.contentType.map { " as " + String(decoding: $0, as: UTF8.self) } ?? ""
        let key = item.key.map { " key " + String(decoding: $0, as: UTF8.self) } ?? ""
        return "\(item.kind) \(String(decoding: item.channel.bytes, as: UTF8.self)) \(payload)\(type)\(key)"
    }

    @Test(
        arguments: [
            // With ?channel= the body is the data.
            ("{\"a\": 1}", "news", "application/json", ["json news {\"a\": 1}"]),
            ("[1]", "news", "application/vnd.x+JSON; charset=utf-8", ["json news [1]"]),
            ("hi", "news", "text/plain", ["text news hi as text/plain"]),
            ("{", "news", "text/html; charset=utf-8", ["text news { as text/html; charset=utf-8"]),
            ("x", "news", "image/png", ["binary news x as image/png"]),
            ("{\"a\":1}", "news", nil, ["json news {\"a\":1}"]), ("hi there", "news", nil, ["text news hi there"]),
            ("a=b", "news", "application/x-www-form-urlencoded", ["text news a=b"]), ("", "news", nil, ["text news "]),
            // Without it the body names its channels.
            ("{\"channel\":\"a\",\"data\":[1,2]}", nil, "application/json", ["json a [1,2]"]),
            ("{\"data\":null,\"channel\":\"a\"}", nil, nil, ["json a null"]),
            ("{\"channel\":\"\\u0061\",\"data\": {\"x\" : 1} }", nil, "application/json", ["json a {\"x\" : 1}"]),
            ("{\"channel\":\"a\",\"data\":\"aGk=\",\"encoding\":\"base64\"}", nil, nil, ["binary a hi"]),
            (
                "{\"channel\":\"a\",\"data\":\"aGk=\",\"encoding\":\"base64\",\"content_type\":\"text/x\",\"key\":\"k\"}",
                nil,
                nil, ["binary a hi as text/x key k"]
            ),
            (
                "{\"items\":[{\"channel\":\"a\",\"data\":1},{\"channel\":\"b\",\"data\":2}]}", nil, "application/json",
                ["json a 1", "json b 2"]
            ),
            (
                "{\"channel\":\"a\",\"data\":1}\n\n{\"channel\":\"b\",\"data\":2}\r\n", nil, "application/x-ndjson",
                ["json a 1", "json b 2"]
            ),
        ] as [(String, String?, String?, [String])]) func `bodies that can be published`(
            body: String, channel: String?, type: String?, expected: [String]
        ) throws
    {
        #expect(try decode(body, channel: channel, type: type).items.map(summary) == expected)
    }

    @Test(
        arguments: [
            ("{", "a", "application/json", 400, "the JSON is not valid: "),
            ("\u{FEFF}{}", "a", "application/json", 400, "the JSON is not valid: "),
            ("1", "a b", nil, 400, "the channel name is not valid: "),
            ("1", "", nil, 400, "the channel name is not valid: "),
            ("1", nil, "application/json", 400, "an item is an object"),
            ("{}", nil, "application/json", 400, "\"channel\" is missing"),
            ("{\"channel\":\"a\"}", nil, nil, 400, "\"data\" is missing"),
            ("{\"channel\":1,\"data\":1}", nil, nil, 400, "\"channel\" must be a string"),
            ("{\"channel\":\"a\",\"channel\":\"b\",\"data\":1}", nil, nil, 400, "\"channel\" stands twice"),
            ("{\"channel\":\"a\",\"\\u0063hannel\":\"b\",\"data\":1}", nil, nil, 400, "\"channel\" stands twice"),
            ("{\"channel\":\"a\",\"data\":1,\"dta\":2}", nil, nil, 400, "an item knows"),
            ("{\"channel\":\"a\",\"data\":1,\"encoding\":\"base64\"}", nil, nil, 400, "\"data\" must be a string"),
            (
                "{\"channel\":\"a\",\"data\":\"%\",\"encoding\":\"base64\"}", nil, nil, 400,
                "\"data\" is not valid base64"
            ),
            ("{\"channel\":\"a\",\"data\":\"x\",\"encoding\":\"hex\"}", nil, nil, 400, "the only \"encoding\""),
            ("{\"channel\":\"a\",\"data\":1,\"content_type\":\"a\\r\\nb\"}", nil, nil, 400, "\"content_type\" must be"),
            ("{\"items\":[]}", nil, nil, 400, "there is no item"),
            ("", nil, "application/x-ndjson", 400, "there is no item"),
            ("{\"items\":{}}", nil, nil, 400, "\"items\" is a list"),
            ("{\"items\":[],\"x\":1}", nil, nil, 400, "\"items\" is a list"),
            (
                "{\"items\":[{\"channel\":\"a\",\"data\":1},{\"channel\":\"a\"}]}", nil, nil, 400,
                "item 1: \"data\" is missing"
            ),
            ("{\"channel\":\"a\",\"data\":1}\n[", nil, "application/x-ndjson", 400, "item 1: the JSON is not valid"),
            ("a=b", nil, "text/plain", 415, "without ?channel= the body is"),
        ] as [(String, String?, String?, Int, String)]) func `bodies that can't`(
            body: String, channel: String?, type: String?, status: Int, reason: String
        )
    {
        let error = #expect(throws: PublishError.self) { try decode(body, channel: channel, type: type) }
        #expect(error?.status == status)
        #expect(error?.reason.hasPrefix(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `text that is not UTF-8 is refused, other bytes are bytes`() throws {
        #expect(throws: PublishError.self) {
            try PublishDecoder.items(
                body: [0xFF], channel: Array("a".utf8), contentType: Array("text/plain".utf8), key: nil)
        }
        let item = try PublishDecoder.items(body: [0xFF], channel: Array("a".utf8), contentType: nil, key: nil).items[0]
        #expect(item.kind == .binary)
    }

    @Test func `one key is for one item`() throws {
        let one = "{\"channel\":\"a\",\"data\":1}"
        #expect(try decode(one, key: "k").items.map(summary) == ["json a 1 key k"])
        #expect(throws: PublishError.self) { try decode("{\"items\":[\(one),\(one)]}", key: "k") }
        #expect(throws: PublishError.self) { try decode("{\"channel\":\"a\",\"data\":1,\"key\":\"own\"}", key: "k") }
    }
}
