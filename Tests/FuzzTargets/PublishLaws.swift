/// What publishers send: items that say what was sent, or an error that says what is wrong.
import ByteText
import Gateway
import JSONText
import Polling

enum PublishLaws {
    static func check(_ bytes: [UInt8]) throws {
        for type in ["application/json", "application/x-ndjson", "text/plain", "image/png", ""] {
            let contentType = type.isEmpty ? nil : Array(type.utf8)
            for channel in [nil, Array("room.1".utf8)] {
                try checkBody(bytes, channel: channel, contentType: contentType)
            }
        }
        // The first line is a channel's name, and a Content-Type.
        let name =
            bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false).first.map { Array($0) } ?? []
        try checkBody(bytes, channel: name, contentType: name)
        try checkLines(bytes)
    }

    private static func checkBody(_ body: [UInt8], channel: [UInt8]?, contentType: [UInt8]?) throws {
        let key = Array("k".utf8)
        do {
            let (items, _) = try PublishDecoder.items(body: body, channel: channel, contentType: contentType, key: nil)
            for item in items { try check(item) }
            if let channel {
                try require(items.count == 1 && items[0].payload == body, "the body is not the data")
                try require(Array(items[0].channel.bytes) == channel, "another channel")
            }
        } catch let error as PublishError {
            try require(!error.reason.isEmpty && (400..<500).contains(error.status), "\(error)")
        }
        do {
            let (items, _) = try PublishDecoder.items(body: body, channel: channel, contentType: contentType, key: key)
            try require(items.count == 1 && items[0].key == key, "a key for \(items.count) items")
        } catch let error as PublishError {
            _ = error.reason
        }
    }

    /// A body of lines is what its lines are.
    private static func checkLines(_ body: [UInt8]) throws {
        var expected: [PublishItem] = []
        var isGood = true
        for line in body.split(separator: 10) {
            let bytes = Array(line)
            if PublishDecoder.isBlank(bytes.span) { continue }
            do throws(PublishError) {
                let item = try PublishDecoder.item(line: bytes.span)
                expected.append(item)
            } catch {
                isGood = false
            }
        }
        var found: [PublishItem]?
        do throws(PublishError) { found = try PublishDecoder.items(lines: body.span) } catch { _ = error.reason }
        try require((found != nil) == isGood, "the body is \(isGood ? "refused" : "accepted"), its lines are not")
        guard let found else { return }
        try require(found.count == expected.count, "\(found.count) items of \(expected.count) lines")
        for (one, other) in zip(found, expected) { try require(isSame(one, other), "\(one) \(other)") }
    }

    /// An item is one that the pool can take and a poll can be answered with, and it can be sent again.
    private static func check(_ item: PublishItem) throws {
        switch item.kind {
        case .json:
            do throws(JSONError) {
                try JSONValidator.validate(item.payload.span)
            } catch {
                throw BrokenLaw(description: "the data is no JSON: \(error)")
            }
        case .text: try require(item.payload.span.isUTF8, "the text is no UTF-8")
        case .binary: break
        }
        let name = Array(item.channel.bytes)
        do {
            let again = try ChannelName(name.span)
            try require(again == item.channel, "another name")
        } catch let error as ChannelNameError {
            throw BrokenLaw(description: "the channel has no name: \(error)")
        }
        guard item.kind == .json else { return }
        var line = Array(#"{"channel":"#.utf8)
        line.append(jsonEscaped: name.span)
        line += Array(#","data":"#.utf8) + item.payload.filter { $0 != 10 }
        if let key = item.key {
            line += Array(#","key":"#.utf8)
            line.append(jsonEscaped: key.span)
        }
        line.append(UInt8(ascii: "}"))
        do {
            let again = try PublishDecoder.item(line: line.span)
            try require(again.channel == item.channel && again.key == item.key, "sent again it is another item")
        } catch let error as PublishError {
            throw BrokenLaw(description: "sent again it is refused: \(error.reason)")
        }
    }

    private static func isSame(_ one: PublishItem, _ other: PublishItem) -> Bool {
        one.channel == other.channel && one.payload == other.payload && one.kind == other.kind && one.key == other.key
            && one.contentType == other.contentType
    }
}
