/// Names to addresses on a loop, which never waits: the hosts file first, then name servers, through libevent's evdns.
///
/// The hosts file has a resolver of its own without any name server, because evdns asks both in one call and then does
/// not say for how long an answer holds.
import CLibevent
import Glibc

@safe package final class NameResolver {
    package struct Answer: Equatable, Sendable {
        /// IPv4 before IPv6. Never empty.
        package let addresses: [SocketAddress]
        /// For how long it holds, as the name's servers say; nil for a name of the hosts file, which may change at any
        /// time.
        package let seconds: Int?
    }

    package enum Failure: Error, Equatable, Sendable {
        /// There is no such name, or it has no address.
        case unknownName
        case timedOut
        /// The name servers answered with an error, or none is there.
        case serverFailed(code: Int)
    }

    private let loop: EventLoop
    private let servers: OpaquePointer
    private let hosts: OpaquePointer

    /// - Parameters:
    ///   - nameservers: `address:port` in numbers; empty: those of resolv.conf(5).
    ///   - timeout: for one question to one name server, in seconds.
    /// - Throws: `SystemError` when libevent has no memory, or takes a name server for none.
    package init(loop: EventLoop, nameservers: [String], timeout: Int = 2) throws(SystemError) {
        guard let servers = unsafe evdns_base_new(loop.base, Int32(EVDNS_BASE_DISABLE_WHEN_INACTIVE)),
            let hosts = unsafe evdns_base_new(loop.base, Int32(EVDNS_BASE_DISABLE_WHEN_INACTIVE))
        else { throw SystemError("evdns_base_new", code: ENOMEM) }
        self.loop = loop
        unsafe self.servers = servers
        unsafe self.hosts = hosts
        if nameservers.isEmpty {
            // Without the file it takes 127.0.0.1, as resolv.conf(5) says; no other failure matters here.
            let wanted = DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC
            _ = unsafe evdns_base_resolv_conf_parse(servers, Int32(wanted), "/etc/resolv.conf")
        }
        for server in nameservers {
            guard unsafe evdns_base_nameserver_ip_add(servers, server) == 0 else {
                throw SystemError("evdns_base_nameserver_ip_add", code: EINVAL)
            }
        }
        _ = unsafe evdns_base_set_option(servers, "timeout:", String(timeout))
        _ = unsafe evdns_base_set_option(servers, "attempts:", "2")
    }

    deinit {
        unsafe evdns_base_free(hosts, 1)
        unsafe evdns_base_free(servers, 1)
    }

    /// Looks `host` up.
    ///
    /// - Parameter completion: called on the loop, once; for a name of the hosts file inside this call.
    package func resolve(
        host: String, port: UInt16, completion: @escaping (Result<Answer, Failure>) -> Void
    ) {
        // RFC 6761 §6.3: this name is nobody's to answer but ours.
        if host == "localhost" || host.hasSuffix(".localhost") {
            let own = SocketAddress.ipv4(0x7F00_0001, port: port)
            let six = SocketAddress.ipv6(high: 0, low: 1, scope: 0, port: port)
            return completion(.success(Answer(addresses: [own, six], seconds: nil)))
        }
        let known = unsafe HostsQuestion.addresses(of: host, port: port, hosts: hosts)
        if !known.isEmpty { return completion(.success(Answer(addresses: known, seconds: nil))) }
        let question = NameQuestion(port: port, completion)
        unsafe question.ask(host, servers)
    }
}

/// The two questions for one name, and what has been answered so far.
private final class NameQuestion {
    private let port: UInt16
    private let completion: (Result<NameResolver.Answer, NameResolver.Failure>) -> Void
    private var waiting = 2
    private var four: [SocketAddress] = []
    private var six: [SocketAddress] = []
    private var seconds = Int.max
    private var failure = NameResolver.Failure.unknownName

    init(port: UInt16, _ completion: @escaping (Result<NameResolver.Answer, NameResolver.Failure>) -> Void) {
        self.port = port
        self.completion = completion
    }

    func ask(_ host: String, _ servers: OpaquePointer) {
        // C calls back exactly once for each question that it has taken, and the reference is given back there.
        let callback: evdns_callback_type = { code, type, count, seconds, addresses, context in
            guard let context = unsafe context else { return }
            let question = unsafe Unmanaged<NameQuestion>.fromOpaque(context).takeRetainedValue()
            unsafe question.answered(Int(code), type, Int(count), Int(seconds), addresses)
        }
        for isSix in [false, true] {
            let context = unsafe Unmanaged.passRetained(self)
            let request =
                unsafe isSix
                ? evdns_base_resolve_ipv6(servers, host, 0, callback, context.toOpaque())
                : evdns_base_resolve_ipv4(servers, host, 0, callback, context.toOpaque())
            if unsafe request == nil {
                unsafe context.release()
                finish(.serverFailed(code: Int(DNS_ERR_UNKNOWN)))
            }
        }
    }

    private func answered(
        _ code: Int, _ type: CChar, _ count: Int, _ seconds: Int, _ addresses: UnsafeMutableRawPointer?
    ) {
        guard code == DNS_ERR_NONE, count > 0, let addresses = unsafe addresses else {
            return finish(Self.failure(code))
        }
        self.seconds = min(self.seconds, seconds)
        for index in 0..<count {
            if Int32(type) == DNS_IPv4_A {
                let number = unsafe addresses.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                four.append(.ipv4(UInt32(bigEndian: number), port: port))
            } else {
                let high = unsafe addresses.loadUnaligned(fromByteOffset: index * 16, as: UInt64.self)
                let low = unsafe addresses.loadUnaligned(fromByteOffset: index * 16 + 8, as: UInt64.self)
                six.append(
                    .ipv6(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low), scope: 0, port: port))
            }
        }
        finish(nil)
    }

    private func finish(_ failure: NameResolver.Failure?) {
        // That a name has no address of one family says nothing if the other question went wrong.
        if let failure, failure != .unknownName { self.failure = failure }
        waiting -= 1
        guard waiting == 0 else { return }
        let addresses = four + six
        if addresses.isEmpty {
            completion(.failure(self.failure))
        } else {
            completion(.success(NameResolver.Answer(addresses: addresses, seconds: seconds)))
        }
    }

    private static func failure(_ code: Int) -> NameResolver.Failure {
        switch Int32(code) {
        case DNS_ERR_NONE, DNS_ERR_NOTEXIST, DNS_ERR_NODATA: .unknownName
        case DNS_ERR_TIMEOUT: .timedOut
        default: .serverFailed(code: code)
        }
    }
}

/// A look into the hosts file, read anew each time.
private final class HostsQuestion {
    private var addresses: [SocketAddress] = []

    static func addresses(of host: String, port: UInt16, hosts: OpaquePointer) -> [SocketAddress] {
        unsafe evdns_base_clear_host_addresses(hosts)
        guard unsafe evdns_base_load_hosts(hosts, "/etc/hosts") == 0 else { return [] }
        let question = HostsQuestion()
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        let pending = unsafe evdns_getaddrinfo(
            hosts, host, String(port), &hints,
            { code, list, context in
                guard let context = unsafe context else { return }
                let question = unsafe Unmanaged<HostsQuestion>.fromOpaque(context).takeRetainedValue()
                guard code == 0 else { return }
                unsafe question.take(list)
                if let list = unsafe list { unsafe evutil_freeaddrinfo(list) }
            }, Unmanaged.passRetained(question).toOpaque())
        // What is not in the file would wait for a name server that this resolver has not got.
        if let pending = unsafe pending { unsafe evdns_getaddrinfo_cancel(pending) }
        return question.addresses
    }

    private func take(_ list: UnsafeMutablePointer<addrinfo>?) {
        var next = unsafe list
        while let entry = unsafe next {
            if let address = unsafe entry.pointee.ai_addr {
                unsafe addresses.append(SocketAddress(system: address, length: entry.pointee.ai_addrlen))
            }
            unsafe next = entry.pointee.ai_next
        }
    }
}
