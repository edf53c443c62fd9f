import Foundation
import Polling
import Storage
import Testing

/// What a store says to files that it can't use, and what it keeps of those that it can.
struct OpeningTests {
    private static func open(
        _ directory: String, continuing mark: PoolMark? = nil
    ) throws(StoreError) -> MessageStore {
        let store = try MessageStore(
            try StoreFile(directory: directory, mustExist: mark != nil), durability: .process)
        _ = try store.load(
            limits: PoolLimits(), continuing: mark, fresh: Epoch(random: 1), boot: "b", now: Moment(nanoseconds: 0),
            wall: 0)
        return store
    }

    private static func failure(_ directory: String, continuing mark: PoolMark? = nil) -> StoreError? {
        do throws(StoreError) {
            _ = try open(directory, continuing: mark)
            return nil
        } catch {
            return error
        }
    }

    /// Runs a body on a directory that goes afterwards.
    private static func withDirectory(_ body: (String) throws -> Void) throws {
        let directory = try KeptPool.makeDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        try body(directory)
    }

    @Test func `a directory is made for its owner alone, and so is the file`() throws {
        try Self.withDirectory { directory in
            let store = try Self.open(directory + "/new")
            for (path, mode) in [("/new", 0o700), ("/new/pool.sqlite", 0o600), ("/new/pool.sqlite-wal", 0o600)] {
                let attributes = try FileManager.default.attributesOfItem(atPath: directory + path)
                #expect((attributes[.posixPermissions] as? Int) == mode, "\(path)")
            }
            withExtendedLifetime(store) {}
        }
    }

    @Test func `a file of something else is refused, and says what to do`() throws {
        try Self.withDirectory { directory in
            try Data("this is no database, whatever its name says".utf8).write(
                to: URL(filePath: directory + "/pool.sqlite"))
            let error = try #require(Self.failure(directory))
            #expect(error.isOfTheFile)
            #expect("\(error)".contains(directory + "/pool.sqlite is no pool") && "\(error)".contains("--salvage"))
        }
    }

    @Test func `no directory, and one that is none, are refused by name`() throws {
        try Self.withDirectory { directory in
            #expect("\(try #require(Self.failure(directory + "/a/b")))".contains("No such file or directory"))
            try Data().write(to: URL(filePath: directory + "/file"))
            #expect("\(try #require(Self.failure(directory + "/file")))".contains("it is no directory"))
            try FileManager.default.createDirectory(
                atPath: directory + "/pool.sqlite", withIntermediateDirectories: false)
            let error = try #require(Self.failure(directory))
            #expect("\(error)".contains("can't be opened") && !error.isOfTheFile)
        }
    }

    @Test func `two processes' worth of connections don't share a store`() throws {
        try Self.withDirectory { directory in
            let store = try Self.open(directory)
            // Within one process SQLite keeps the locks of its connections apart as those of two processes.
            #expect(Self.failure(directory) == .inUse(directory + "/pool.sqlite"))
            withExtendedLifetime(store) {}
        }
    }

    @Test func `only the same pool is gone on with, and nothing is made in its place`() throws {
        try Self.withDirectory { directory in
            let mark = PoolMark(epoch: Epoch(random: 1), number: 5)
            #expect("\(try #require(Self.failure(directory + "/new", continuing: mark)))".contains("No such file"))
            #expect("\(try #require(Self.failure(directory, continuing: mark)))".contains("can't be opened"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
            let path = directory + "/pool.sqlite"
            try Data().write(to: URL(filePath: path))
            #expect(Self.failure(directory, continuing: mark) == .replaced(path))
            #expect(try Data(contentsOf: URL(filePath: path)).isEmpty)
            do { _ = try Self.open(directory) }
            #expect(Self.failure(directory, continuing: mark) == nil)
            let other = PoolMark(epoch: Epoch(random: 2), number: 5)
            #expect(Self.failure(directory, continuing: other) == .replaced(path))
            // An older copy knows of fewer numbers.
            let later = PoolMark(epoch: mark.epoch, number: 1 << 40)
            #expect(Self.failure(directory, continuing: later) == .replaced(path))
        }
    }

    @Test(arguments: [MessageStore.Durability.process, .machine])
    func `a copy of a pool that another process has is no pool to go on with`(
        durability: MessageStore.Durability
    ) throws {
        try Self.withDirectory { directory in
            let path = directory + "/pool.sqlite"
            let (now, epoch) = (Moment(nanoseconds: 0), Epoch(random: 2))
            func store() throws(StoreError) -> MessageStore {
                try MessageStore(try StoreFile(directory: directory), durability: durability)
            }
            func load(continuing mark: PoolMark? = nil) throws(StoreError) -> MessageStore.Loaded {
                try store().load(
                    limits: PoolLimits(), continuing: mark, fresh: Epoch(random: 9), boot: "b", now: now, wall: 0)
            }
            func filled(_ epoch: Epoch) throws(StoreError) -> MessageStore {
                let store = try store()
                _ = try store.fill(with: MessagePool(limits: PoolLimits()), of: epoch, now: now, wall: 0)
                return store
            }
            // Filled, and given up at whatever point; then the same pool comes once more, and stays.
            do { _ = try filled(epoch) }
            do { try filled(epoch).finish(lastNumber: 0, forgottenThrough: 0) }
            do { try filled(epoch).own(boot: "b") }
            #expect(try load().epoch == epoch)
            #expect(throws: StoreError.occupied(path)) { try filled(Epoch(random: 3)) }
            // It goes on elsewhere: who had it may go on with it if nothing comes of that, and nobody else.
            func leave() throws {
                let store = try store()
                _ = try store.load(limits: PoolLimits(), fresh: epoch, boot: "b", now: now, wall: 0)
                try store.finish(lastNumber: 0, forgottenThrough: 0, isLeft: true)
            }
            try leave()
            #expect(try load(continuing: PoolMark(epoch: epoch, number: 0)).epoch == epoch)
            try leave()
            let other = try load()
            #expect(other.epoch == Epoch(random: 9) && other.mayHaveLost)
            for isFinished in [false, true] {
                do {
                    let store = try filled(Epoch(random: 9))
                    if isFinished { try store.finish(lastNumber: 0, forgottenThrough: 0) }
                }
                #expect(try load().mayHaveLost)
            }
        }
    }

    @Test func `two names of a directory are one place`() throws {
        try Self.withDirectory { directory in
            for name in ["a", "b"] { mkdir(directory + "/" + name, 0o700) }
            try FileManager.default.createSymbolicLink(atPath: directory + "/link", withDestinationPath: "a")
            for name in ["a", "./a", "a/", "b/../a", "link"] {
                #expect(StoreFile.isSame(directory + "/a", directory + "/" + name), "\(name)")
            }
            #expect(!StoreFile.isSame(directory + "/a", directory + "/b"))
            #expect(!StoreFile.isSame(directory + "/a", directory + "/none"))
            #expect(StoreFile.isSame(directory + "/none", directory + "/none"))
        }
    }

    @Test func `a store that was set aside leaves its place to a new one, and is whole under its new name`() throws {
        try Self.withDirectory { directory in
            do { _ = try Self.open(directory) }
            let names = try StoreFile.setAside(directory: directory, stamp: "S")
            #expect(names.last == directory + "/pool.sqlite.S")
            #expect(Self.failure(directory) == nil)
            #expect(FileManager.default.fileExists(atPath: directory + "/pool.sqlite.S"))
        }
    }

    @Test func `any byte of a pool may be broken, and it is read, or refused as damaged, never with a crash`() throws {
        let kept = try KeptPool()
        let channel = try ChannelName(Array("c".utf8).span)
        for number in 0..<50 {
            try kept.make([
                .publish([PublishItem(channel: channel, payload: .init(repeating: 7, count: 300 * number), kind: .text)]
                )
            ])
        }
        try kept.restart()
        let seed = UInt64.random(in: 0..<1 << 40)
        var random = Seeded(state: seed)
        try Self.withDirectory { directory in
            let original = try Data(contentsOf: URL(filePath: kept.directory + "/pool.sqlite"))
            var refusals = 0
            for _ in 0..<200 {
                var broken = original
                for _ in 0..<Int.random(in: 1...40, using: &random) {
                    // Most pages are data, in which nobody can see a change; so the beginnings of pages are hit more.
                    let page = Int.random(in: 0..<broken.count / 4096, using: &random) * 4096
                    let depth = Bool.random(using: &random) ? 100 : 4096
                    broken[page + Int.random(in: 0..<depth, using: &random)] = .random(in: 0...255, using: &random)
                }
                try? FileManager.default.removeItem(atPath: directory + "/pool.sqlite-wal")
                try broken.write(to: URL(filePath: directory + "/pool.sqlite"))
                if let error = Self.failure(directory) {
                    refusals += 1
                    #expect("\(error)".contains(directory), "seed \(seed): \(error)")
                }
            }
            #expect(refusals > 50, "seed \(seed)")
        }
    }

    @Test func `ages go on across a restart, and a clock that went backwards makes nothing younger than now`() throws {
        let channel = try ChannelName(Array("c".utf8).span)
        let kept = try KeptPool(limits: PoolLimits(age: .nanoseconds(1000)))
        let item = PublishItem(channel: channel, payload: [1], kind: .text)
        try kept.make([.publish([item])])
        kept.now += 900
        try kept.make([.publish([item])])
        try kept.kill()
        kept.now += 100
        kept.expire()
        #expect(kept.told([channel], after: 0).ids == [2])
        #expect(kept.told([channel], after: 0).gap)
        // Both clocks of this pool are one; so a clock that went backwards is one that is behind what is written.
        kept.now -= 1500
        try kept.kill()
        #expect(kept.told([channel], after: 1).ids == [2])
        kept.now += 999
        kept.expire()
        #expect(kept.told([channel], after: 1).ids == [2])
        kept.now += 1
        kept.expire()
        #expect(kept.told([channel], after: 1) == KeptPool.Told(ids: [], payloads: [], gap: true))
    }

    @Test func `keys are known after a restart, and their rows leave with them`() throws {
        let channel = try ChannelName(Array("c".utf8).span)
        let kept = try KeptPool(limits: PoolLimits(idempotencyKeys: 2))
        func publish(_ key: UInt8) throws -> [UInt64] {
            try kept.make([.publish([PublishItem(channel: channel, payload: [key], kind: .text, key: [key])])])
        }
        #expect(try publish(1) == [1])
        #expect(try publish(2) == [2])
        try kept.kill()
        #expect(try publish(1) == [1])
        #expect(try publish(2) == [2])
        let third = try publish(3)
        #expect(try publish(1) != [1])
        try kept.kill()
        #expect(try publish(3) == third)
    }
}
