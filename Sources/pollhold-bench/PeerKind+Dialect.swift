/// What each server is told to hold a poll and to publish.
import Foundation
import Reactor

extension PeerKind {
    /// A poll for what comes from now on, or for what comes behind an answer.
    func poll(channel: String, after sample: AnswerSample? = nil) -> [UInt8] {
        let host = "Host: bench.example\r\n"
        switch self {
        case .pollhold:
            let cursor = sample?.cursor ?? "now"
            return Array("GET /poll?channel=\(channel)&after=\(cursor) HTTP/1.1\r\n\(host)\r\n".utf8)
        case .nchan:
            guard let sample, !sample.tag.isEmpty else {
                return Array("GET /poll?channel=\(channel) HTTP/1.1\r\n\(host)\r\n".utf8)
            }
            let position = "If-None-Match: \(sample.tag)\r\nIf-Modified-Since: \(sample.modified)\r\n"
            return Array("GET /poll?channel=\(channel) HTTP/1.1\r\n\(host)\(position)\r\n".utf8)
        case .bareLoop:
            return Array("GET /poll?channel=\(channel)&after=k3x9-123 HTTP/1.1\r\n\(host)\r\n".utf8)
        case .pushpin, .nginx, .haproxy: return Array("GET /hold HTTP/1.1\r\n\(host)\r\n".utf8)
        }
    }

    /// - Parameter data: text that needs no escape.
    func publish(channel: String, data: String) -> [UInt8] {
        switch self {
        case .pollhold: return Array("{\"channel\":\"\(channel)\",\"data\":\"\(data)\"}\n".utf8)
        case .bareLoop:
            // What Pollhold would make of the same message, so that both send equally long answers.
            let body = "{\"cursor\":\"k3x9-123\",\"messages\":[{\"id\":\"123\",\"channel\":\"\(channel)\",\"data\":"
            return Array("\(body)\"\(data)\"}]}\n".utf8)
        case .nchan, .nginx, .haproxy: return Self.post("/publish?channel=\(channel)", "text/plain", data)
        case .pushpin:
            let format = "{\"http-response\":{\"body\":\"\(data)\"}}"
            return Self.post(
                "/publish/", "application/json", "{\"items\":[{\"channel\":\"\(channel)\",\"formats\":\(format)}]}")
        }
    }

    /// Pollhold's other way to publish.
    static func publishByHTTP(channel: String, data: String) -> [UInt8] {
        post("/publish?channel=\(channel)", "text/plain", data)
    }

    private static func post(_ target: String, _ type: String, _ body: String) -> [UInt8] {
        let fields = "Host: bench.example\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)"
        return Array("POST \(target) HTTP/1.1\r\n\(fields)\r\n\r\n\(body)".utf8)
    }

    var publishManner: PublishClient.Manner { self == .pollhold || self == .bareLoop ? .lines : .http }

    /// Polls in five milliseconds that it can be sent without losing some.
    var pace: Int { self == .pushpin ? 2 : 200 }

    /// Polls that it is asked to hold, at most. Pushpin asks the app how to hold each, and refuses some of a larger
    /// crowd with 502 on the way.
    var pollsLimit: Int { self == .pushpin ? 500 : .max }

    /// The part of a crowd that may be refused without making the figures worthless.
    var toleratedLoss: Double { self == .pushpin ? 0.1 : 0 }

    /// Seconds until the first polls are held for certain. Pushpin asks the app for each once more after a second, and
    /// loses what is published at that moment.
    var timeToFirstHold: Double { self == .pushpin ? 3 : 1 }

    /// Seconds until a poll that was sent is held for certain. Pushpin, which keeps no messages, has asked the app by
    /// then; a message that comes before it would be for nobody.
    var timeToHold: Double { self == .pushpin ? 0.1 : 0.002 }
}
