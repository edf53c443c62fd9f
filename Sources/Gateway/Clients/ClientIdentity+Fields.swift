/// Tells the app who asks, in two families of fields that say the same: X-Forwarded-… and Forwarded (RFC 7239).
import ByteText
import HTTP1

extension ClientIdentity {
    func writeFields(
        _ head: borrowing RequestHead, _ rules: borrowing ForwardingRules, into writer: inout HTTPWriter
    ) {
        if rules.sendsXForwarded {
            writePath(head, rules, into: &writer)
            writer.field("X-Forwarded-Proto", isSecure ? "https" : "http")
            if !host.isEmpty { writer.field("X-Forwarded-Host", head[host]) }
            writer.field("X-Forwarded-Port", decimal: UInt64(port(head)))
        }
        if rules.sendsForwarded { writeForwarded(head, rules, into: &writer) }
    }

    /// The hops that were told, and the peer behind them. A Unix socket's peer has no address to be named by, and an
    /// app that finds `unknown` where it looks for one may refuse the request, so there is nothing then.
    private func writePath(
        _ head: borrowing RequestHead, _ rules: borrowing ForwardingRules, into writer: inout HTTPWriter
    ) {
        if hops.isEmpty, peer == .unix { return }
        writer.beginField("X-Forwarded-For")
        for (index, hop) in hops.enumerated() {
            if index > 0 { writer.bytes.append(", ") }
            if !rules.believesForwarded {
                writer.bytes.append(head[hop.text])
            } else if let address = hop.address {
                writer.bytes.append(address: address)
            } else {
                writer.bytes.append("unknown")
            }
        }
        if case .network(let address) = peer {
            if !hops.isEmpty { writer.bytes.append(", ") }
            writer.bytes.append(address: address)
        }
        writer.endField()
    }

    /// Host and proto stand once, in the last element: some apps read those of the first element that has them, some
    /// those of the last, and all are to find what X-Forwarded-… says.
    private func writeForwarded(
        _ head: borrowing RequestHead, _ rules: borrowing ForwardingRules, into writer: inout HTTPWriter
    ) {
        writer.beginField("Forwarded")
        for (index, hop) in hops.enumerated() {
            if index > 0 { writer.bytes.append(", ") }
            Self.append(hop, head, rules, to: &writer.bytes)
        }
        if case .network(let address) = peer {
            if !hops.isEmpty { writer.bytes.append(", ") }
            Self.append(address, to: &writer.bytes)
        } else if hops.isEmpty {
            writer.bytes.append("for=unknown")
        }
        if !host.isEmpty {
            writer.bytes.append(";host=")
            Self.append(host: head[host], to: &writer.bytes)
        }
        writer.bytes.append(isSecure ? ";proto=https" : ";proto=http")
        writer.endField()
    }

    private static func append(
        _ hop: Hop, _ head: borrowing RequestHead, _ rules: borrowing ForwardingRules, to text: inout [UInt8]
    ) {
        if let address = hop.address {
            append(address, to: &text)
        } else if rules.believesForwarded, isObfuscated(head[hop.text]) {
            text.append("for=")
            text.append(head[hop.text])
        } else {
            text.append("for=unknown")
        }
    }

    /// An IPv6 address stands in brackets and, because of its colons, in quotes.
    private static func append(_ address: IPAddress, to text: inout [UInt8]) {
        text.append(address.isIPv4 ? "for=" : "for=\"[")
        text.append(address: address)
        if !address.isIPv4 { text.append("]\"") }
    }

    private static func append(host: Span<UInt8>, to text: inout [UInt8]) {
        var isToken = true
        // An authority has no quote and no backslash, so what is no token can stand in quotes as it is.
        for index in 0..<host.count where !isNameByte(host[index]) { isToken = false }
        if !isToken { text.append(0x22) }
        text.append(host)
        if !isToken { text.append(0x22) }
    }

    /// `"_" 1*(ALPHA / DIGIT / "." / "_" / "-")`, as RFC 7239 §6.3 lets a proxy name what it hides.
    private static func isObfuscated(_ text: Span<UInt8>) -> Bool {
        guard text.count > 1, text[0] == 0x5F else { return false }
        for index in 0..<text.count where !isNameByte(text[index]) { return false }
        return true
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        byte.isASCIILetter || byte.isDecimalDigit || byte == 0x2E || byte == 0x5F || byte == 0x2D
    }
}
