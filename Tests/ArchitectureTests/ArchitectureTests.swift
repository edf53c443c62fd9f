import Foundation
import Testing

/// The rooms of the code and who may look into which. SwiftPM's own check misses a module that is reachable through
/// another, so the `import` lines are read.
struct ArchitectureTests {
    static let sources = SourceTree.swiftFiles(below: "Sources")

    /// What each room may import: ours, then others'.
    static let mayImport: [String: Set<String>] = [
        "ByteText": ["Glibc"],
        "HTTP1": ["ByteText"],
        "JSONText": ["ByteText"],
        "ProxyProtocol": ["ByteText"],
        "Polling": ["ByteText", "DequeModule"],
        "ConfigFile": ["ByteText", "Glibc", "Yams"],
        "Reactor": ["CLibevent", "Glibc", "Synchronization"],
        "Storage": ["CSQLite", "Polling", "Glibc"],
        "Gateway": ["ByteText", "HTTP1", "JSONText", "Polling", "ConfigFile", "DequeModule", "HeapModule"],
        "Daemon": [
            "ByteText", "HTTP1", "JSONText", "ProxyProtocol", "Polling", "ConfigFile", "Gateway", "Reactor", "Storage",
            "Logging", "Glibc", "Synchronization",
        ],
        "pollhold": [
            "Daemon", "Gateway", "ConfigFile", "Polling", "HTTP1", "JSONText", "ByteText", "ArgumentParser", "Glibc",
        ],
        // Beside the building, so Foundation may be in it.
        "pollhold-bench": ["Reactor", "HTTP1", "ArgumentParser", "Histogram", "Foundation"],
    ]

    @Test func `every room is known and imports only what it may`() {
        #expect(Set(Self.sources.map(\.room)) == Set(Self.mayImport.keys))
        for file in Self.sources {
            let foreign = Set(file.imports).subtracting(Self.mayImport[file.room] ?? [])
            #expect(foreign.isEmpty, "\(file.path) imports \(foreign.sorted())")
        }
    }

    @Test func `each door to C is opened by one room`() {
        for (door, room) in [("CLibevent", "Reactor"), ("CSQLite", "Storage")] {
            let users = Set(Self.sources.filter { $0.imports.contains(door) }.map(\.room))
            #expect(users == [room])
        }
    }

    @Test func `generic rooms don't know the product's words`() {
        let words = ["poll", "channel", "route", "publish"]
        let generic = ["ByteText", "HTTP1", "JSONText", "ProxyProtocol", "Reactor"]
        for file in Self.sources where generic.contains(file.room) {
            // poll(2), its type and its constants are the system's names.
            let code = file.code.replacing(/\bpollfd\b|\bpoll\(&|\bPOLL[A-Z]+\b/, with: "").lowercased()
            for word in words { #expect(!code.contains(word), "\(file.path) says \(word)") }
        }
    }

    @Test func `no module bears the name of a type inside it`() {
        for file in Self.sources {
            for kind in ["struct", "class", "enum", "protocol", "actor"] {
                #expect(!file.code.contains("\(kind) \(file.room) "), "\(file.path)")
                #expect(!file.code.contains("\(kind) \(file.room):"), "\(file.path)")
            }
        }
    }

    @Test func `every file opens with a sentence on what it is for`() {
        for file in Self.sources where file.path != "Sources/pollhold/main.swift" {
            #expect(file.lines.first?.hasPrefix("/// ") == true, "\(file.path)")
        }
    }

    @Test func `no file is longer than four hundred lines and no line than 120 columns`() {
        for file in Self.sources {
            #expect(file.lines.count <= 401, "\(file.path) has \(file.lines.count) lines")
            for (number, line) in file.lines.enumerated() where line.count > 120 {
                Issue.record("\(file.path):\(number + 1) has \(line.count) columns")
            }
        }
    }

    @Test func `nothing hides an error or the compiler's doubts`() {
        let banned = [
            "try! ", "try? ", "as! ", "fatalError", "@unchecked", "nonisolated(unsafe)", "DispatchQueue", "Task {",
            "Task(",
            "TODO", "FIXME",
        ]
        for file in Self.sources {
            for word in banned where file.code.contains(word) {
                // The one lock is where a promise takes the place of the compiler's proof.
                let isTheLock = word == "@unchecked" && file.path.hasSuffix("Reactor/Guarded.swift")
                #expect(isTheLock, "\(file.path) has \(word)")
            }
        }
    }

    @Test func `what the README names is there`() throws {
        let readme = try String(contentsOf: SourceTree.root.appending(path: "README.md"), encoding: .utf8)
        let reading = try #require(readme.components(separatedBy: "## Reading the source").dropFirst().first)
        let files = Set((Self.sources + SourceTree.swiftFiles(below: "Tests")).map(\.path))
        let words = reading.split(separator: "`").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
        #expect(words.count > 20)
        for word in words {
            let isThere = files.contains { path in
                path.hasPrefix(word + "/") || path.contains("/\(word)/") || path.hasSuffix("/\(word).swift")
                    || path.hasPrefix("Tests/\(word)/")
            }
            #expect(isThere || word == "Tests", "the README names \(word)")
        }
    }

    @Test func `names say what a thing is`() {
        let banned = ["Manager", "Helper", "Util", "Common", "Impl", "Wrapper"]
        for file in Self.sources {
            for line in file.code.split(separator: "\n") {
                for kind in ["struct ", "class ", "enum ", "protocol ", "typealias "] {
                    guard let place = line.range(of: kind) else { continue }
                    let name = line[place.upperBound...].prefix { $0.isLetter || $0.isNumber }
                    for word in banned { #expect(!name.contains(word), "\(file.path): \(name)") }
                }
            }
        }
    }
}
