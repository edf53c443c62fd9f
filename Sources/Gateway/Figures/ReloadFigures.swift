/// What has become of reloads of the configuration, and of upgrades.
package struct ReloadFigures: Equatable, Sendable {
    /// Those that took effect, and those that were refused.
    package var done: UInt64 = 0
    package var refused: UInt64 = 0
    /// What is wrong with the file, as of the last reload; nil: it took effect.
    package var error: String?
    /// When a file last took effect, the one of the start among them, in seconds since 1970.
    package var succeededAt: Int64 = 0

    /// Upgrades after which this process went on.
    package var upgradesFailed: UInt64 = 0

    package init() {}
}
