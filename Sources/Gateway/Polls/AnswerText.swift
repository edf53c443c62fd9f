/// An answer in a shape of the configuration's own (`template`). What is put in can't break out of its place: in JSON
/// it is escaped between quotes and a whole value elsewhere; in XML and HTML its markup is escaped.
import ByteText
import ConfigFile
import JSONText
import Polling

struct AnswerText {
    let template: AnswerTemplate
    let epoch: Epoch

    func append(_ found: Found, to body: inout [UInt8]) {
        var isInString = false
        for part in template.answer.parts {
            switch part {
            case .literal(let literal): appendLiteral(literal, &isInString, to: &body)
            case .reference(let reference):
                switch reference.source {
                case .answerMessages: appendMessages(found.messages, to: &body)
                case .answerCursor:
                    var cursor: [UInt8] = []
                    Cursor(epoch: epoch, number: found.number).append(to: &cursor)
                    appendText(cursor, isInString, to: &body)
                case .answerGap: body.append(found.gap ? "true" : "false")
                default: body.append(decimal: UInt64(found.messages.count))
                }
            }
        }
    }

    private func appendMessages(_ messages: [Message], to body: inout [UInt8]) {
        for (index, message) in messages.enumerated() {
            if index > 0 { body.append(contentsOf: template.separator.utf8) }
            var isInString = false
            for part in template.message.parts {
                switch part {
                case .literal(let literal): appendLiteral(literal, &isInString, to: &body)
                case .reference(let reference): append(reference, of: message, isInString, to: &body)
                }
            }
        }
    }

    private func append(
        _ reference: TemplateText.Reference, of message: Message, _ isInString: Bool, to body: inout [UInt8]
    ) {
        switch reference.source {
        case .messageID: body.append(decimal: message.id)
        case .messageChannel: appendText(message.channel.bytes, isInString, to: &body)
        default:
            if reference.name.isEmpty {
                appendData(message, isInString, to: &body)
            } else {
                appendPlace(reference.name, of: message, isInString, to: &body)
            }
        }
    }

    private func appendData(_ message: Message, _ isInString: Bool, to body: inout [UInt8]) {
        switch message.kind {
        case .json where template.escaping == .json && !isInString: body.append(contentsOf: message.payload)
        case .json, .text: appendText(message.payload, isInString, to: &body)
        case .binary:
            let payload = message.payload
            var text: [UInt8] = []
            text.append(base64: payload.span)
            appendText(text, isInString, to: &body)
        }
    }

    /// What stands at a JSON pointer; nothing there is null in JSON and nothing elsewhere.
    private func appendPlace(_ pointer: String, of message: Message, _ isInString: Bool, to body: inout [UInt8]) {
        let payload = message.payload
        guard message.kind == .json, let path = JSONPointer(pointer), let value = path.follow(in: payload.span) else {
            if template.escaping == .json, !isInString { body.append("null") }
            return
        }
        let raw = payload.span.extracting(value.range)
        if template.escaping == .json, !isInString { return body.append(raw) }
        // A string's own text; anything else as it is written.
        appendText(value.scalarText(in: payload.span) ?? raw.array, isInString, to: &body)
    }

    // MARK: Escaping

    private func appendLiteral(_ literal: [UInt8], _ isInString: inout Bool, to body: inout [UInt8]) {
        body.append(contentsOf: literal)
        if template.escaping == .json { JSONPlace.follow(literal, &isInString) }
    }

    private func appendText(_ text: [UInt8], _ isInString: Bool, to body: inout [UInt8]) {
        switch template.escaping {
        case .json:
            let start = body.count
            body.append(jsonEscaped: text.span)
            guard isInString else { return }
            body.removeLast()
            body.remove(at: start)
        case .xml: for byte in text { appendMarkup(byte, to: &body) }
        case .none: body.append(contentsOf: text)
        }
    }

    private func appendMarkup(_ byte: UInt8, to body: inout [UInt8]) {
        switch byte {
        case 0x26: body.append("&amp;")
        case 0x3C: body.append("&lt;")
        case 0x3E: body.append("&gt;")
        case 0x22: body.append("&quot;")
        case 0x27: body.append("&#39;")
        // XML 1.0 knows no other control characters.
        case 0x00..<0x20 where byte != 0x09 && byte != 0x0A && byte != 0x0D: body.append(" ")
        default: body.append(byte)
        }
    }
}

/// Where one is in a text that is JSON but for what is put in.
enum JSONPlace {
    /// Whether the text goes on inside a string behind this literal.
    static func follow(_ literal: [UInt8], _ isInString: inout Bool) {
        var isEscaped = false
        for byte in literal {
            if isEscaped {
                isEscaped = false
            } else if byte == 0x5C {
                isEscaped = isInString
            } else if byte == 0x22 {
                isInString.toggle()
            }
        }
    }
}

extension [UInt8] {
    /// U+2028 and U+2029 end a line in a script and none in JSON, where they stand in strings alone.
    mutating func escapeLineSeparators(from start: Int) {
        var index = start
        while index + 2 < count {
            guard self[index] == 0xE2, self[index + 1] == 0x80, self[index + 2] & 0xFE == 0xA8 else {
                index += 1
                continue
            }
            let escape = Array((self[index + 2] == 0xA8 ? "\\u2028" : "\\u2029").utf8)
            replaceSubrange(index..<index + 3, with: escape)
            index += escape.count
        }
    }
}
