/// The Date field's value (RFC 9110 §5.6.7, IMF-fixdate), made from the wall clock's seconds once a second.
import ByteText

package struct DateField: Sendable {
    /// Seconds since 1970 for which `value` was made.
    package private(set) var seconds: Int64
    /// e.g. `Tue, 24 Nov 2026 10:47:05 GMT`
    package private(set) var value: [UInt8]

    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    /// - Parameter seconds: since 1970-01-01T00:00:00Z, not before.
    package init(seconds: Int64) {
        let seconds = max(0, seconds)
        self.seconds = seconds
        let day = seconds / 86400
        let second = seconds % 86400
        let (year, month, dayOfMonth) = Self.civilDate(daysSince1970: day)
        func twoDigits(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        value = Array(
            """
            \(Self.days[Int(day % 7)]), \(twoDigits(dayOfMonth)) \(Self.months[Int(month) - 1]) \(year) \
            \(twoDigits(second / 3600)):\(twoDigits(second / 60 % 60)):\(twoDigits(second % 60)) GMT
            """.utf8)
    }

    /// The Gregorian date of a day. Counted from March, so that the leap day ends the year.
    static func civilDate(daysSince1970 day: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = day + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}
