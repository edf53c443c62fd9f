/// Who is believed about the client, and in which fields the app is told of it.
package import ConfigFile

package struct ForwardingRules: Sendable {
    package let trusted: AddressList
    /// The family of fields by which a trusted peer tells. Only one of the two: a proxy that writes one passes the
    /// other on as its client sent it.
    package let believesForwarded: Bool
    package let sendsXForwarded: Bool
    package let sendsForwarded: Bool
    package let makesRequestID: Bool
    package let returnsRequestID: Bool

    package init(_ configuration: Configuration) {
        trusted = configuration.trusted
        believesForwarded = configuration.forwarding.believe == .forwarded
        let send = configuration.forwarding.send
        sendsXForwarded = send == .both || send == .xForwarded
        sendsForwarded = send == .both || send == .forwarded
        makesRequestID = configuration.requestID != .off
        returnsRequestID = configuration.requestID == .client
    }

    func trusts(_ address: ClientAddress) -> Bool { address.isListed(in: trusted) }
}
