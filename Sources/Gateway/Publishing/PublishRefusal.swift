/// Why a publish was refused, as it is counted: by what whoever looks at the figures can do about it.
package enum PublishRefusal: String, CaseIterable, Sendable {
    /// The publisher says something that is none.
    case invalid
    /// Larger than the configuration lets it be.
    case tooLarge = "too_large"
    /// The disk fails, or is too slow for what comes.
    case notStored = "not_stored"

    /// Its index among all cases.
    package var place: Int {
        switch self {
        case .invalid: 0
        case .tooLarge: 1
        case .notStored: 2
        }
    }
}

extension PublishError {
    package var refusal: PublishRefusal {
        switch status {
        case 503: .notStored
        case 413: .tooLarge
        default: .invalid
        }
    }
}
