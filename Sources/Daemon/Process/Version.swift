/// The version of this source, as `pollhold --version`, the status and the metrics tell it.
package enum Version {
    package static let text = "0.1.0"
}
