/// What a trusted peer says of the client, read from the one family of fields that it is believed in.
///
/// Of lists, the last entry is the peer's own word. What is not a valid value is not said.
import ByteText
import HTTP1

struct ToldIdentity {
    private(set) var hops: [ClientIdentity.Hop] = []
    private(set) var isSecure: Bool?
    private(set) var host: ByteRange?
    private(set) var port: UInt16?

    /// X-Forwarded-For, -Proto, -Host and -Port.
    init(xForwarded head: borrowing RequestHead) {
        for line in head.fields.lines {
            let value = head.fields.value(of: line)
            let start = line.valueRange.indices.lowerBound
            switch line.name {
            case .xForwardedFor:
                var list = ListField(value)
                while let place = list.next() { append(value.extracting(place), start + place.lowerBound) }
            case .xForwardedProto:
                if let place = Self.last(value) { isSecure = Self.isSecure(value.extracting(place)) ?? isSecure }
            case .xForwardedHost:
                guard let place = Self.last(value), AuthorityText(value.extracting(place)) != nil else { continue }
                host = ByteRange(start + place.lowerBound..<start + place.upperBound)
            case .xForwardedPort:
                guard let place = Self.last(value), let number = value.extracting(place).decimalValue else { continue }
                if number > 0, number <= UInt64(UInt16.max) { port = UInt16(number) }
            default: continue
            }
        }
        keepNearestHops()
    }

    /// Forwarded. One line that breaks the grammar makes all of them say nothing.
    init(forwarded head: borrowing RequestHead) {
        for line in head.fields.lines where line.name == .forwarded {
            let value = head.fields.value(of: line)
            let start = line.valueRange.indices.lowerBound
            guard let elements = ForwardedElement.elements(of: value) else {
                self = ToldIdentity()
                return
            }
            for element in elements {
                if let place = element.node { append(value.extracting(place), start + place.lowerBound) }
                if let place = element.scheme { isSecure = Self.isSecure(value.extracting(place)) ?? isSecure }
                guard let place = element.host, AuthorityText(value.extracting(place)) != nil else { continue }
                host = ByteRange(start + place.lowerBound..<start + place.upperBound)
            }
        }
        keepNearestHops()
    }

    private init() {}

    private mutating func append(_ text: Span<UInt8>, _ start: Int) {
        let limit = ClientIdentity.hopCountLimit
        if hops.count == 2 * limit { hops.removeFirst(limit) }
        hops.append(
            ClientIdentity.Hop(text: ByteRange(start..<start + text.count), address: IPAddress(node: text)))
    }

    private mutating func keepNearestHops() {
        let excess = hops.count - ClientIdentity.hopCountLimit
        if excess > 0 { hops.removeFirst(excess) }
    }

    private static func last(_ value: Span<UInt8>) -> Range<Int>? {
        var list = ListField(value)
        var last: Range<Int>?
        while let place = list.next() { last = place }
        return last
    }

    private static func isSecure(_ scheme: Span<UInt8>) -> Bool? {
        if scheme.equalsIgnoringCase("https") || scheme.equalsIgnoringCase("wss") { return true }
        return scheme.equalsIgnoringCase("http") || scheme.equalsIgnoringCase("ws") ? false : nil
    }
}
