/// What is wrong with a publish request. Each case's sentence goes to the publisher as it is.
package import JSONText
package import Polling

package enum PublishError: Error {
    case badJSON(JSONError)
    case badChannel(ChannelNameError)
    case itemIsNotAnObject
    case itemsIsNotAList
    case missing(StaticString)
    case repeated(StaticString)
    case notAString(StaticString)
    case unknownMember
    case unknownEncoding
    case badBase64
    case textIsNotUTF8
    case keyForSeveral
    case noItems
    case unknownContentType
    case bodyTooLarge(limit: Int)
    case lineTooLong(limit: Int)
    /// The item at this index, counted from 0.
    case inItem(Int, reason: String)
    case pool(PoolError)
    /// The pool's store can't take it now.
    case notStored(String)

    package var status: Int {
        switch self {
        case .notStored: 503
        case .bodyTooLarge, .lineTooLong: 413
        case .unknownContentType: 415
        case .pool: 413
        default: 400
        }
    }

    package var reason: String {
        switch self {
        case .badJSON(let error): "the JSON is not valid: \(error)"
        case .badChannel(let error): "the channel name is not valid: \(error)"
        case .itemIsNotAnObject: "an item is an object with \"channel\" and \"data\""
        case .itemsIsNotAList: "\"items\" is a list, and stands alone in its object"
        case .missing(let name): "\"\(name)\" is missing"
        case .repeated(let name): "\"\(name)\" stands twice"
        case .notAString(let name): "\"\(name)\" must be a string of printable text"
        case .unknownMember:
            "an item knows \"channel\", \"data\", \"key\", \"encoding\" and \"content_type\", nothing else"
        case .unknownEncoding: "the only \"encoding\" is \"base64\""
        case .badBase64: "\"data\" is not valid base64"
        case .textIsNotUTF8: "the Content-Type says text, but the body is not UTF-8"
        case .keyForSeveral: "Idempotency-Key is for one item; give each item of a list its own \"key\""
        case .noItems: "there is no item to publish"
        case .unknownContentType:
            "without ?channel= the body is application/json or application/x-ndjson; say so in Content-Type"
        case .bodyTooLarge(let limit): "the body is larger than \(limit) bytes"
        case .lineTooLong(let limit): "the line is longer than \(limit) bytes"
        case .inItem(let index, let reason): "item \(index): \(reason)"
        case .pool(let error): "\(error)"
        case .notStored(let reason): "it could not be written down and is not published: \(reason)"
        }
    }
}
