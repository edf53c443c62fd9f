/// `pollhold-bench counts`: instructions and allocations per thing done, which don't depend on how busy the machine is.
import ArgumentParser
import Foundation
import Reactor

struct Counts: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count instructions and allocations with valgrind and compare them with the ceilings.")

    @Flag(help: "Only print; what is above its ceiling is no failure.") var printOnly = false
    @Option(help: "Keep callgrind's files in this folder, for callgrind_annotate.") var keep: String?

    func run() throws {
        guard PeerKind.find("valgrind") != nil, PeerKind.find("callgrind_control") != nil else {
            print("valgrind is not installed (apt: valgrind); nothing is counted.")
            return
        }
        _ = raiseDescriptorLimit()
        let counted = try CountedRun(keeping: keep)
        var isAbove = false
        for budget in Budget.allCases {
            guard let count = try counted.count(budget) else { continue }
            let above = count.instructions > budget.instructions || count.allocations > budget.allocations
            isAbove = isAbove || above
            let instructions = "\(Report.text(count.instructions, 0)) of \(Report.text(budget.instructions, 0))"
            let allocations = "\(Report.text(count.allocations, 2)) of \(Report.text(budget.allocations, 1))"
            print(
                "\(budget.rawValue): \(instructions) instructions, \(allocations) allocations\(above ? " ABOVE" : "")")
        }
        counted.end()
        if isAbove, !printOnly { throw ExitCode.failure }
    }
}

/// One Pollhold under callgrind, which writes what it counted whenever it is asked to.
final class CountedRun {
    struct Count {
        let instructions: Double
        let allocations: Double
    }

    /// Things done per count; as many are done before, so that tables have grown and lists are warm.
    private static let things = 1000

    private let loop: BenchLoop
    private let origin: Origin
    private let peer: RunningPeer
    private let folder: String
    private let isKept: Bool
    private let crowd: Crowd
    private var parts = 0

    /// - Parameter folder: where callgrind's files are to stay; nil to take them away.
    init(keeping folder: String?) throws {
        isKept = folder != nil
        self.folder = folder ?? "/tmp/pollhold-counts-\(getpid())"
        try FileManager.default.createDirectory(atPath: self.folder, withIntermediateDirectories: true)
        loop = try BenchLoop()
        origin = try Origin()
        // Valgrind reads the symbols; it stumbles over debugging information that is newer than it is.
        let program = self.folder + "/pollhold"
        let strip = try Process.run(
            URL(filePath: PeerKind.find("strip") ?? "strip"),
            arguments: ["--strip-debug", "-o", program, PeerKind.pollhold.program])
        strip.waitUntilExit()
        let valgrind = ["--tool=callgrind", "--callgrind-out-file=\(self.folder)/callgrind.out"]
        peer = try RunningPeer(
            .pollhold, origin: origin, launcher: [PeerKind.find("valgrind") ?? "valgrind"] + valgrind, program: program)
        crowd = Crowd(loop, peer.address, request: PeerKind.pollhold.poll(channel: "c0"))
    }

    func end() {
        crowd.close()
        peer.stop()
        guard !isKept else { return }
        do { try FileManager.default.removeItem(atPath: folder) } catch { print("\(folder) stays: \(error)") }
    }

    func count(_ budget: Budget) throws -> Count? {
        switch budget {
        case .firstPoll:
            try open(Self.things)
            try dump()
            try open(Self.things)
            return try dump(per: Self.things)
        case .delivery:
            try fanOut()
            try pollAgain()
            try dump()
            try fanOut()
            return try dump(per: crowd.clients.count)
        case .poll:
            try pollAgain()
            return try dump(per: crowd.clients.count)
        case .line: return try publish(byHTTP: false)
        case .request: return try publish(byHTTP: true)
        case .proxied: return try proxy()
        }
    }

    private func open(_ count: Int) throws {
        try crowd.open(count, pace: 20)
        try waitUntilHeld()
    }

    private func pollAgain() throws {
        crowd.request = PeerKind.pollhold.poll(channel: "c0", after: crowd.sample)
        crowd.pollAgain()
        try waitUntilHeld()
    }

    /// Asking the server would be counted; it has held all when it does nothing any more.
    private func waitUntilHeld() throws {
        loop.settle(peer.tree)
        guard crowd.lost == 0 else { throw BenchError("\(crowd.lost) connections were lost") }
    }

    private func fanOut() throws {
        let publisher = try PublishClient(loop, peer.publishAddress, .lines)
        crowd.expect()
        publisher.publish(PeerKind.pollhold.publish(channel: "c0", data: "message"))
        try loop.run(until: "\(crowd.clients.count) answers, not \(crowd.answers)", atMost: 60) {
            crowd.answers >= crowd.clients.count && publisher.isAnswered
        }
        publisher.close()
        loop.settle(peer.tree)
    }

    private func publish(byHTTP: Bool) throws -> Count {
        let publisher = try PublishClient(loop, peer.publishAddress, byHTTP ? .http : .lines)
        defer { publisher.close() }
        var count = Count(instructions: 0, allocations: 0)
        for _ in 0..<2 {
            var requests: [UInt8] = []
            for number in 0..<Self.things {
                let channel = "room.\(number)"
                requests +=
                    byHTTP
                    ? PeerKind.publishByHTTP(channel: channel, data: "message")
                    : PeerKind.pollhold.publish(channel: channel, data: "message")
            }
            publisher.publish(requests, count: Self.things)
            try loop.run(until: "answers to publishes", atMost: 60) { publisher.isAnswered }
            loop.settle(peer.tree)
            count = try dump(per: Self.things)
        }
        return count
    }

    private func proxy() throws -> Count {
        let fields =
            "Host: bench.example\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: text/html\r\n"
            + "Accept-Encoding: gzip\r\nCookie: session=0123456789abcdef\r\n"
        let request = Array("GET /100 HTTP/1.1\r\n\(fields)\r\n".utf8)
        let clients = try RequestClients(loop, peer.address, request: request, connections: 16)
        defer { clients.close() }
        _ = try clients.run(Self.things)
        loop.settle(peer.tree)
        try dump()
        _ = try clients.run(Self.things)
        loop.settle(peer.tree)
        return try dump(per: Self.things)
    }

    // MARK: Callgrind

    /// Lets callgrind write what it has counted since the last time.
    @discardableResult
    private func dump(per things: Int = 1) throws -> Count {
        let control = Process()
        control.executableURL = URL(filePath: PeerKind.find("callgrind_control") ?? "callgrind_control")
        control.arguments = ["--dump", "\(peer.tree.members[0])"]
        control.standardOutput = FileHandle.nullDevice
        control.standardError = FileHandle.nullDevice
        try control.run()
        control.waitUntilExit()
        parts += 1
        let path = "\(folder)/callgrind.out.\(parts)"
        let profile = CallgrindProfile(SystemText.file(path))
        guard profile.instructions > 0 else { throw BenchError("callgrind wrote no \(path)") }
        return Count(
            instructions: Double(profile.instructions) / Double(things),
            allocations: Double(profile.allocations) / Double(things))
    }
}

/// What a file of callgrind's says, as far as it is needed: <https://valgrind.org/docs/manual/cl-format.html>.
struct CallgrindProfile {
    private(set) var instructions = 0
    /// Calls to the allocator's functions that give memory.
    private(set) var allocations = 0

    private static let allocators: Set<Substring> = [
        "malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign",
    ]

    init(_ text: String) {
        // A name is written once and is a number from then on.
        var isAllocator: [Substring: Bool] = [:]
        var callsAllocator = false
        for line in text.split(separator: "\n") {
            if line.hasPrefix("summary: ") || line.hasPrefix("totals: ") {
                instructions = Int(line.split(separator: " ")[1]) ?? 0
            } else if line.hasPrefix("cfn=") || line.hasPrefix("fn=") {
                let parts = line.drop { $0 != "(" }.split(separator: " ", maxSplits: 1)
                guard let number = parts.first else { continue }
                if parts.count == 2 { isAllocator[number] = Self.allocators.contains(parts[1].prefix { $0 != "'" }) }
                if line.hasPrefix("cfn=") { callsAllocator = isAllocator[number] ?? false }
            } else if line.hasPrefix("calls="), callsAllocator {
                allocations += Int(line.dropFirst(6).prefix { $0.isNumber }) ?? 0
            }
        }
    }
}
