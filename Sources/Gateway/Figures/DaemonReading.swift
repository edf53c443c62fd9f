/// What a running daemon said of itself at one moment, read back from its control socket for the people who watch it.
import JSONText
package import Polling

package struct DaemonReading: Sendable {
    package struct Server: Equatable, Sendable {
        package var name: String
        package var isIn: Bool
        package var active: UInt64
    }

    package struct Channel: Equatable, Sendable {
        package var name: String
        package var waiting: UInt64
        package var messages: UInt64
        package var bytes: UInt64
    }

    /// When it was asked.
    package let moment: Moment
    /// Members of GET /status that are one value, by their path, such as `pool.messages`.
    package private(set) var members: [String: String] = [:]
    package private(set) var servers: [Server] = []
    /// Paths of recheck routes.
    package private(set) var routes: [String] = []
    package private(set) var channels: [Channel] = []
    /// Samples of GET /metrics by name and labels as they are written.
    private var samples: [String: Double] = [:]

    /// - Parameters:
    ///   - status: the body of GET /status.
    ///   - metrics: that of GET /metrics.
    ///   - channels: that of GET /channels?order=waiting.
    /// - Returns: nil for what no Pollhold says.
    package init?(moment: Moment, status: [UInt8], metrics: [UInt8], channels: [UInt8]) {
        self.moment = moment
        guard let root = JSONSlice.root(of: status.span), root.kind == .object,
            let list = JSONSlice.root(of: channels.span), list.kind == .object
        else { return nil }
        readStatus(root, status, prefix: "")
        readChannels(list, channels)
        readMetrics(metrics)
        guard members["pid"] != nil else { return nil }
    }

    package func number(_ path: String) -> UInt64 { members[path].flatMap { UInt64($0) } ?? 0 }

    /// A sample such as `pollhold_delivery_delay_seconds_bucket{le="0.0001"}`; 0 where there is none.
    func sample(_ name: String) -> Double { samples[name] ?? 0 }

    // MARK: Reading

    private mutating func readStatus(_ object: JSONSlice, _ body: [UInt8], prefix: String) {
        var members = JSONMembers(of: object)
        while let member = members.next(in: body.span) {
            let key = String(decoding: member.key.unescaped(in: body.span) ?? [], as: UTF8.self)
            switch member.value.kind {
            case .object:
                if prefix == "rechecks." { routes.append(key) }
                readStatus(member.value, body, prefix: "\(prefix)\(key).")
            case .array where key == "servers": readServers(member.value, body)
            default:
                let text = member.value.scalarText(in: body.span)
                self.members[prefix + key] = text.map { String(decoding: $0, as: UTF8.self) }
            }
        }
    }

    private mutating func readServers(_ list: JSONSlice, _ body: [UInt8]) {
        var elements = JSONElements(of: list)
        while let element = elements.next(in: body.span) {
            let values = Self.scalars(of: element, in: body)
            servers.append(
                Server(
                    name: values["name"] ?? "", isIn: values["in"] == "true",
                    active: values["active"].flatMap { UInt64($0) } ?? 0))
        }
    }

    private mutating func readChannels(_ object: JSONSlice, _ body: [UInt8]) {
        var members = JSONMembers(of: object)
        while let member = members.next(in: body.span) {
            guard member.keyEquals("channels", in: body.span) else { continue }
            var elements = JSONElements(of: member.value)
            while let element = elements.next(in: body.span) {
                let values = Self.scalars(of: element, in: body)
                let numbers = ["waiting", "depth", "bytes"].map { values[$0].flatMap { UInt64($0) } ?? 0 }
                channels.append(
                    Channel(
                        name: values["channel"] ?? "", waiting: numbers[0], messages: numbers[1], bytes: numbers[2]))
            }
        }
    }

    private static func scalars(of object: JSONSlice, in body: [UInt8]) -> [String: String] {
        var values: [String: String] = [:]
        var members = JSONMembers(of: object)
        while let member = members.next(in: body.span) {
            guard let key = member.key.unescaped(in: body.span) else { continue }
            let text = member.value.scalarText(in: body.span)
            values[String(decoding: key, as: UTF8.self)] = text.map { String(decoding: $0, as: UTF8.self) }
        }
        return values
    }

    private mutating func readMetrics(_ body: [UInt8]) {
        for line in body.split(separator: 0x0A) where line.first != 0x23 {
            guard let space = line.lastIndex(of: 0x20) else { continue }
            let value = Double(String(decoding: line[(space + 1)...], as: UTF8.self))
            samples[String(decoding: line[..<space], as: UTF8.self)] = value
        }
    }
}
