/// The pool's store in numbers at one moment.
package struct StoreFigures: Sendable {
    /// The last attempt to write failed, and so publishes are refused.
    package var isFailing = false
    /// Why; nil as long as nothing ever failed.
    package var lastError: String?
    /// Transactions that were written.
    package var commits: UInt64 = 0
    /// Transactions that could not be written.
    package var failures: UInt64 = 0
    /// Rows written, changed or removed.
    package var rows: UInt64 = 0
    /// Changes that were refused because too much waited.
    package var refused: UInt64 = 0
    /// Publishes of rules that could not be written, and nobody was there to be told.
    package var unwritten: UInt64 = 0
    /// Changes that wait to be written.
    package var waiting = 0
    /// Of the file and its log, as of the last transaction.
    package var bytes = 0

    package init() {}
}
