/// Parts and changes of the pool as records.
import Polling

extension PoolPart {
    func write(to writer: inout RecordWriter) {
        switch self {
        case .head(let epoch, let lastNumber, let forgottenThrough):
            writer.put(0 as UInt8)
            writer.put(epoch.text)
            writer.put(lastNumber)
            writer.put(forgottenThrough)
        case .loss(let name, let through):
            writer.put(1 as UInt8)
            writer.put(name)
            writer.put(through)
        case .message(let item, let id, let lostBefore, let publishedAt):
            writer.put(2 as UInt8)
            item.write(to: &writer)
            writer.put(id)
            writer.put(lostBefore)
            writer.put(publishedAt)
        case .key(let key, let id, let at):
            writer.put(3 as UInt8)
            writer.put(key)
            writer.put(id)
            writer.put(at)
        case .taken(let name, let through):
            writer.put(4 as UInt8)
            writer.put(name)
            writer.put(through)
        }
    }

    init(_ reader: inout RecordReader) throws(RecordError) {
        switch try reader.byte() {
        case 0:
            guard let epoch = Epoch(text: try reader.text()) else { throw reader.fault }
            self = .head(
                epoch: epoch, lastNumber: try reader.number(), forgottenThrough: try reader.number())
        case 1: self = .loss(try reader.name(), through: try reader.number())
        case 2:
            self = .message(
                try PublishItem(&reader), id: try reader.number(), lostBefore: try reader.number(),
                publishedAt: try reader.moment())
        case 3: self = .key(try reader.text(), id: try reader.number(), at: try reader.moment())
        case 4: self = .taken(try reader.name(), through: try reader.number())
        default: throw reader.fault
        }
    }
}

extension PublishItem {
    fileprivate func write(to writer: inout RecordWriter) {
        writer.put(channel)
        writer.put(payload)
        let number: UInt8 =
            switch kind {
            case .json: 0
            case .text: 1
            case .binary: 2
            }
        writer.put(number)
        writer.put(contentType)
        writer.put(key)
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        let (channel, payload) = (try reader.name(), try reader.text())
        let kind: Message.Kind
        switch try reader.byte() {
        case 0: kind = .json
        case 1: kind = .text
        case 2: kind = .binary
        default: throw reader.fault
        }
        self.init(
            channel: channel, payload: payload, kind: kind, contentType: try reader.optionalText(),
            key: try reader.optionalText())
    }
}

extension PoolChange {
    func write(to writer: inout RecordWriter) {
        switch self {
        case .publish(let items):
            writer.put(0 as UInt8)
            writer.put(all: items) { $0.write(to: &$1) }
        case .signal(let name):
            writer.put(1 as UInt8)
            writer.put(name)
        case .delete(let name):
            writer.put(2 as UInt8)
            writer.put(name)
        case .giveBack(let taken):
            writer.put(3 as UInt8)
            writer.put(all: taken) { position, writer in
                writer.put(position.channel)
                writer.put(position.before) { $1.put($0) }
            }
        }
    }

    init(_ reader: inout RecordReader) throws(RecordError) {
        switch try reader.byte() {
        case 0: self = .publish(try reader.all { reader throws(RecordError) in try PublishItem(&reader) })
        case 1: self = .signal(try reader.name())
        case 2: self = .delete(try reader.name())
        case 3:
            self = .giveBack(
                try reader.all { reader throws(RecordError) in
                    TakenPosition(
                        channel: try reader.name(),
                        before: try reader.optional { reader throws(RecordError) in try reader.number() })
                })
        default: throw reader.fault
        }
    }
}
