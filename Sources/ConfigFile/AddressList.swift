/// Clients by their addresses: networks, single addresses, and perhaps all who connect to a Unix socket, whose file's
/// permissions say who that can be.
package import ByteText

package struct AddressList: Equatable, Sendable {
    package var ranges: [AddressRange] = []
    package var includesUnix = false

    package init() {}

    /// O(ranges), of which there are few.
    package func contains(_ address: IPAddress) -> Bool {
        for range in ranges where range.contains(address) { return true }
        return false
    }
}
