// swift-tools-version: 6.1
import PackageDescription

// TWINPOST_CORE=1 leaves out everything above layer 3: no package is fetched, and the grammars, the
// engines and the simulator build in seconds. It is for work on those layers; `integration/check`
// builds the whole.
let coreOnly = Context.environment["TWINPOST_CORE"] != nil

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]

func layer(_ name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name + "Tests", dependencies: dependencies, swiftSettings: settings)
}

var targets: [Target] = [
    // Layer 0: protocols and plain values.
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CUnistring", providers: [.apt(["libunistring-dev"])]),
    .systemLibrary(name: "CIdn2", pkgConfig: "libidn2", providers: [.apt(["libidn2-dev"])]),
    .target(name: "CChecksum"),
    layer("Platform", ["CChecksum", "COpenSSL"]),

    // Layer 1: grammars. Bytes in, values out, and back.
    layer("MailFormat", ["Platform"]),
    layer("SASL", ["Platform", "CUnistring"]),
    layer("SMTP", ["Platform"]),
    layer("IMAP", ["Platform", "MailFormat"]),
    layer("TOML"),

    // Layer 2: engines, pure over Platform.
    layer("Journal", ["Platform"]),
    layer("MailStore", ["Platform"]),
    layer("Policy", ["Platform", "CUnistring", "CIdn2"]),
    layer("Replication", ["Platform", "Journal", "MailStore"]),

    // Layer 3: composes the engines.
    layer("Node", ["Platform", "MailStore"]),

    // Layer 4, but in need of nothing that has to be fetched.
    layer("PlatformLinux", ["Platform"]),
    layer("Configuration", ["Platform", "Policy", "TOML"]),

    // For tests only.
    layer("TestSupport", ["Platform"]),
    // Both nodes of a pair in one thread, from one seed.
    layer("Simulator", ["Platform", "Journal", "MailStore", "Replication", "TestSupport"]),
    .executableTarget(
        name: "twinpost-simulator", dependencies: ["Simulator"], swiftSettings: settings),

    // Tests.
    tests("Platform", ["Platform"]),
    tests("MailFormat", ["MailFormat"]),
    tests("SASL", ["SASL", "Platform"]),
    tests("SMTP", ["SMTP"]),
    tests("IMAP", ["IMAP", "MailFormat"]),
    tests("Journal", ["Journal", "Platform", "PlatformLinux", "TestSupport"]),
    tests("MailStore", ["MailStore"]),
    tests("Replication", ["Replication", "Journal", "MailStore", "Platform", "TestSupport"]),
    tests("Simulator", ["Simulator", "Journal", "Replication"]),
    tests("Node", ["Node", "MailStore", "Platform", "Journal", "TestSupport"]),
    tests("Policy", ["Policy", "Platform"]),
    tests("TOML", ["TOML"]),
    tests("Configuration", ["Configuration", "Policy", "Platform"]),
]

var dependencies: [Package.Dependency] = []

if !coreOnly {
    dependencies += [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ]
    let nio: [Target.Dependency] = [
        .product(name: "NIOCore", package: "swift-nio"),
        .product(name: "NIOPosix", package: "swift-nio"),
    ]
    let tls: [Target.Dependency] = [.product(name: "NIOSSL", package: "swift-nio-ssl")]
    let nioTLS: [Target.Dependency] = [.product(name: "NIOTLS", package: "swift-nio")]
    let logging: [Target.Dependency] = [.product(name: "Logging", package: "swift-log")]
    let http: [Target.Dependency] = [.product(name: "NIOHTTP1", package: "swift-nio")]
    targets += [
        // Layer 4: adapters.
        layer(
            "Listening",
            ["Platform", "COpenSSL", "MailStore", "Node"] + nio + tls + nioTLS + logging),
        .systemLibrary(
            name: "CSQLite", pkgConfig: "sqlite3", providers: [.apt(["libsqlite3-dev"])]),
        layer(
            "SQLiteIndex",
            ["Platform", "PlatformLinux", "MailStore", "MailFormat", "IMAP", "Node", "CSQLite"]),
        layer(
            "NodeRuntime",
            ["Platform", "PlatformLinux", "Journal", "MailStore", "Node", "SQLiteIndex"]),
        layer(
            "SMTPService",
            ["Platform", "PlatformLinux", "Listening", "MailStore", "Node", "Policy", "SMTP"]
                + nio + tls + logging),
        layer("Authentication", ["SASL", "Node", "MailStore", "Platform"] + nio),
        layer(
            "IMAPService",
            [
                "Authentication", "Platform", "PlatformLinux", "Listening", "MailFormat", "SASL",
                "IMAP", "MailStore", "Node",
            ]
                + nio + tls + logging),
        layer(
            "Control",
            ["Platform", "PlatformLinux", "SASL", "MailStore", "Policy", "Node"] + nio + http
                + logging),
        layer(
            "Verification",
            [
                "Platform", "PlatformLinux", "IMAP", "Journal", "MailStore", "Node", "NodeRuntime",
                "SQLiteIndex",
            ]),
        layer("LogOutput", ["Platform", "PlatformLinux"] + logging),
        layer("ServiceManager"),
        layer("CertificateMaker", ["COpenSSL"]),

        // Layer 5: programs.
        .executableTarget(
            name: "twinpostd",
            dependencies: [
                "Authentication", "Configuration", "Control", "IMAPService", "Listening",
                "LogOutput",
                "MailStore", "Node", "NodeRuntime", "Platform", "PlatformLinux", "Policy", "SMTP",
                "SMTPService", "ServiceManager",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ] + nio + logging, swiftSettings: settings),
        .executableTarget(
            name: "twinpost",
            dependencies: [
                "CertificateMaker", "Configuration", "Control", "Listening", "NodeRuntime",
                "Platform", "PlatformLinux", "Policy", "Verification",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),

        tests(
            "IMAPService",
            [
                "IMAPService", "Authentication", "Listening", "Platform", "MailFormat", "SASL",
                "IMAP", "MailStore", "Node", .product(name: "NIOEmbedded", package: "swift-nio"),
            ] + nio + tls + logging),
        tests("Control", ["Control", "MailStore", "Node", "Platform", "Policy", "SASL"] + nio),
        tests(
            "Verification",
            [
                "Verification", "MailStore", "Node", "NodeRuntime", "Platform", "PlatformLinux",
                "TestSupport",
            ]),
        tests("LogOutput", ["LogOutput", "Platform"] + logging),
        tests("ServiceManager", ["ServiceManager"]),
        tests("CertificateMaker", ["CertificateMaker", "Listening"]),
    ]
}

let package = Package(
    name: "twinpost",
    dependencies: dependencies,
    targets: targets
)
