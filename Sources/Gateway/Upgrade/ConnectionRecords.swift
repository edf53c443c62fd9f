/// Connections as records, field by field in the order in which they are declared.
import ByteText
import Polling

extension HandedConnection {
    func write(to writer: inout RecordWriter) {
        writer.put(kind.rawValue)
        switch state {
        case .idle(let isNew, let hasPreamble, let speaksLines):
            writer.put(0 as UInt8)
            writer.put(isNew)
            writer.put(hasPreamble)
            writer.put(speaksLines)
        case .hold(let hold):
            writer.put(1 as UInt8)
            hold.write(to: &writer)
        case .recheck(let recheck):
            writer.put(2 as UInt8)
            recheck.write(to: &writer)
        }
        writer.put(peer.address.number) { number, writer in
            writer.put(number.high)
            writer.put(number.low)
        }
        writer.put(peer.isSecure)
        writer.put(UInt64(requestCount))
        writer.put(input)
        writer.put(output)
        writer.put(entry) { $0.write(to: &$1) }
        pollKey.write(to: &writer)
    }

    init(_ reader: inout RecordReader) throws(RecordError) {
        guard let kind = Kind(rawValue: try reader.byte()) else { throw reader.fault }
        switch try reader.byte() {
        case 0:
            self.init(
                kind,
                .idle(isNew: try reader.flag(), hasPreamble: try reader.flag(), speaksLines: try reader.flag()))
        case 1: self.init(kind, .hold(try HandedHold(&reader)))
        case 2: self.init(kind, .recheck(try HandedRecheck(&reader)))
        default: throw reader.fault
        }
        let number = try reader.optional { reader throws(RecordError) in
            IPAddress(high: try reader.number(), low: try reader.number())
        }
        peer = Peer(number.map { .network($0) } ?? .unix, isSecure: try reader.flag())
        requestCount = UInt32(truncatingIfNeeded: try reader.number())
        input = try reader.text()
        output = try reader.text()
        entry = try reader.optional { reader throws(RecordError) in try HandedEntry(&reader) }
        pollKey = try ClientKey(&reader)
    }
}

extension ClientAddress {
    fileprivate var number: IPAddress? { if case .network(let number) = self { number } else { nil } }
}

extension HandedPoll {
    fileprivate func write(to writer: inout RecordWriter) {
        writer.put(path)
        writer.put(all: templates) { $1.put($0) }
        writer.put(epoch.text)
        writer.put(all: channels) { $1.put($0) }
        writer.put(manner.isHeadOnly)
        writer.put(manner.isHTTP10)
        writer.put(manner.keepsAlive)
        writer.put(supersedeKey)
        writer.put(startedAt)
        writer.put(lastWord)
        writer.put(UInt64(lastStatus))
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        path = try reader.string()
        templates = try reader.all { reader throws(RecordError) in try reader.string() }
        guard let epoch = Epoch(text: try reader.text()) else { throw reader.fault }
        self.epoch = epoch
        channels = try reader.all { reader throws(RecordError) in try reader.name() }
        var manner = RequestManner()
        manner.isHeadOnly = try reader.flag()
        manner.isHTTP10 = try reader.flag()
        manner.keepsAlive = try reader.flag()
        self.manner = manner
        supersedeKey = try reader.optionalText()
        startedAt = try reader.moment()
        lastWord = try reader.text()
        lastStatus = Int(truncatingIfNeeded: try reader.number())
    }
}

extension HandedHold {
    fileprivate func write(to writer: inout RecordWriter) {
        poll.write(to: &writer)
        writer.put(after)
        writer.put(isTrusted)
        writer.put(isAuthorized)
        switch origin {
        case .none: writer.put(0 as UInt8)
        case .any: writer.put(1 as UInt8)
        case .listed(let text):
            writer.put(2 as UInt8)
            writer.put(text)
        }
        writer.put(callback)
        writer.put(grant) { grant, writer in
            writer.put(grant.credential)
            writer.put(grant.until)
        }
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        poll = try HandedPoll(&reader)
        after = try reader.number()
        isTrusted = try reader.flag()
        isAuthorized = try reader.flag()
        switch try reader.byte() {
        case 0: origin = .none
        case 1: origin = .any
        case 2: origin = .listed(try reader.text())
        default: throw reader.fault
        }
        callback = try reader.optionalText()
        grant = try reader.optional { reader throws(RecordError) in
            HandedGrant(credential: try reader.text(), until: try reader.moment())
        }
    }
}

extension HandedRecheck {
    fileprivate func write(to writer: inout RecordWriter) {
        poll.write(to: &writer)
        writer.put(requestBytes)
        writer.put(shareKey)
        writer.put(cookies)
        writer.put(server) { $1.put($0) }
        writer.put(requestID) { id, writer in
            switch id {
            case .made(let high, let low):
                writer.put(0 as UInt8)
                writer.put(high)
                writer.put(low)
            case .kept(let text):
                writer.put(1 as UInt8)
                writer.put(text)
            }
        }
        writer.put(comparesLast)
        progress.write(to: &writer)
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        poll = try HandedPoll(&reader)
        requestBytes = try reader.text()
        shareKey = try reader.optionalText()
        cookies = try reader.text()
        server = try reader.optional { reader throws(RecordError) in try reader.string() }
        requestID = try reader.optional { reader throws(RecordError) in
            try reader.byte() == 0
                ? .made(high: try reader.number(), low: try reader.number()) : .kept(try reader.text())
        }
        comparesLast = try reader.flag()
        progress = try RecheckProgress(&reader)
    }
}

extension RecheckProgress {
    fileprivate func write(to writer: inout RecordWriter) {
        writer.put(number) { $1.put($0) }
        writer.put(askedAt) { $1.put($0) }
        writer.put(dueAt) { $1.put($0) }
        writer.put(end)
        writer.put(isFirst)
        writer.put(wasSignalled)
        writer.put(UInt64(failures))
        writer.put(UInt64(questions))
        writer.put(kept) { $0.write(to: &$1) }
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        number = try reader.optional { reader throws(RecordError) in try reader.number() }
        askedAt = try reader.optional { reader throws(RecordError) in try reader.moment() }
        dueAt = try reader.optional { reader throws(RecordError) in try reader.moment() }
        end = try reader.moment()
        isFirst = try reader.flag()
        wasSignalled = try reader.flag()
        failures = Int(truncatingIfNeeded: try reader.number())
        questions = Int(truncatingIfNeeded: try reader.number())
        kept = try reader.optional { reader throws(RecordError) in try KeptAnswer(&reader) }
    }
}

extension HandedEntry {
    fileprivate func write(to writer: inout RecordWriter) {
        writer.put(isJSON)
        writer.put(beginning)
        writer.put(ending)
        writer.put(startedAt)
        writer.put(receivedFor)
    }

    fileprivate init(_ reader: inout RecordReader) throws(RecordError) {
        isJSON = try reader.flag()
        beginning = try reader.text()
        ending = try reader.text()
        startedAt = try reader.signed()
        receivedFor = try reader.signed()
    }
}
