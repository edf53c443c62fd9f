// swift-tools-version: 6.2
import PackageDescription

/// Every product target is built to the same rules: each file says what it imports and for whom, existentials
/// are spelt out, unsafe expressions are marked, and a warning is an error.
let productSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes"),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    // Whether two accesses to one variable meet is looked at in debug builds, in which all tests run. In a release it
    // took a sixth of the instructions of a proxied request.
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let testSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableExperimentalFeature("Lifetimes"),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: productSettings)
}

/// - Parameter cases: the target has literate cases in a folder of that name, which its tests read from the checkout.
func tests(_ name: String, _ dependencies: [Target.Dependency], cases: Bool = false) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, exclude: cases ? ["Cases"] : [], swiftSettings: testSettings)
}

let package = Package(
    name: "pollhold",
    products: [
        .executable(name: "pollhold", targets: ["pollhold"]),
        .executable(name: "pollhold-bench", targets: ["pollhold-bench"]),
        .executable(name: "bare-loop", targets: ["bare-loop"]),
        // Loaded in front of the C library by the tests that need a slow disk.
        .library(name: "SlowDisk", type: .dynamic, targets: ["CSlowDisk"]),
    ],
    dependencies: [
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLibevent", pkgConfig: "libevent_extra", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),

        // The ground floor: bytes become values. These import nothing of ours but ByteText.
        room("ByteText"),
        room("HTTP1", ["ByteText"]),
        room("JSONText", ["ByteText"]),
        room("ProxyProtocol", ["ByteText"]),
        room("Polling", ["ByteText", .product(name: "DequeModule", package: "swift-collections")]),
        room("ConfigFile", ["ByteText", .product(name: "Yams", package: "Yams")]),
        room("Reactor", ["CLibevent"]),
        // The pool in a file.
        room("Storage", ["CSQLite", "Polling"]),

        // The middle: decisions on values.
        room(
            "Gateway",
            [
                "ByteText", "HTTP1", "JSONText", "Polling", "ConfigFile",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HeapModule", package: "swift-collections"),
            ]),

        // The top: sockets, threads, signals.
        room(
            "Daemon",
            [
                "ByteText", "HTTP1", "JSONText", "ProxyProtocol", "Polling", "ConfigFile", "Gateway", "Reactor",
                "Storage",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "pollhold",
            dependencies: [
                "Daemon", "Gateway", "ConfigFile", "Polling", "HTTP1", "JSONText", "ByteText",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: productSettings),

        // What the tests of several rooms share.
        .target(name: "SharedByTests", path: "Tests/SharedByTests", swiftSettings: testSettings),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "ByteText", "HTTP1", "JSONText", "ProxyProtocol", "Polling", "ConfigFile", "Gateway", "SharedByTests",
            ],
            path: "Tests/FuzzTargets", swiftSettings: testSettings),

        // Beside the building: the load client, and the loop that it measures Pollhold against.
        .executableTarget(
            name: "pollhold-bench",
            dependencies: [
                "Reactor", "HTTP1",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            swiftSettings: productSettings),
        .executableTarget(name: "bare-loop"),

        tests("ByteTextTests", ["ByteText"]),
        tests("ReactorTests", ["Reactor"]),
        tests("HTTP1Tests", ["HTTP1", "ByteText", "SharedByTests"], cases: true),
        tests("JSONTextTests", ["JSONText", "ByteText", "SharedByTests"]),
        tests("ProxyProtocolTests", ["ProxyProtocol", "ByteText", "SharedByTests"], cases: true),
        tests("PollingTests", ["Polling", "ByteText"]),
        // A file system that fails and forgets, for SQLite.
        .target(name: "CFaultyDisk", dependencies: ["CSQLite"], path: "Tests/CFaultyDisk"),
        .target(name: "CSlowDisk", path: "Tests/CSlowDisk"),
        tests("StorageTests", ["Storage", "Polling", "ByteText", "CSQLite", "CFaultyDisk"]),
        tests("ConfigFileTests", ["ConfigFile"], cases: true),
        tests(
            "GatewayTests", ["Gateway", "HTTP1", "Polling", "ConfigFile", "JSONText", "ByteText", "SharedByTests"]),
        tests("SimulationTests", ["Gateway", "HTTP1", "Polling", "ConfigFile", "JSONText", "ByteText"]),
        tests(
            "EndToEndTests", ["pollhold", "Reactor", "HTTP1", "JSONText", "ByteText", "SharedByTests"], cases: true),
        tests("FuzzTargetsTests", ["FuzzTargets", "SharedByTests"]),
        tests("ArchitectureTests", []),
    ],
    swiftLanguageModes: [.v6]
)

// The program that libFuzzer drives. Its `main` comes from there, so an ordinary build must not see it: `.ci/fuzz` does.
if Context.environment["POLLHOLD_FUZZING"] != nil {
    package.products.append(.executable(name: "pollhold-fuzz", targets: ["Fuzzing"]))
    package.targets.append(
        .executableTarget(
            name: "Fuzzing", dependencies: ["FuzzTargets", "SharedByTests"], path: "Tests/Fuzzing",
            exclude: ["Corpus"], swiftSettings: testSettings + [.unsafeFlags(["-parse-as-library"])]))
}
