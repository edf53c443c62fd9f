/// How one poll wants its answer, apart from what is in it. Two polls of equal style and equal messages share one
/// answer.
package struct AnswerStyle: Equatable {
    package let route: HoldRoute
    package var manner: RequestManner
    package var origin: AllowedOrigin
    /// The function of a JSONP answer.
    package var callback: [UInt8]?

    package init(route: HoldRoute, manner: RequestManner, origin: AllowedOrigin, callback: [UInt8]? = nil) {
        self.route = route
        self.manner = manner
        self.origin = origin
        self.callback = callback
    }

    package static func == (left: AnswerStyle, right: AnswerStyle) -> Bool {
        left.route === right.route && left.manner == right.manner && left.origin == right.origin
            && left.callback == right.callback
    }
}

/// What the answer says about cross-origin reading (Fetch standard, CORS protocol).
package enum AllowedOrigin: Equatable, Sendable {
    /// No CORS fields: the request named no origin, or one that isn't allowed.
    case none
    /// `*`
    case any
    /// The origin at this index of the route's list, by name.
    case listed(Int)
}
