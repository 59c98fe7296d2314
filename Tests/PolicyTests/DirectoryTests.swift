import Policy
import Testing

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

private let accounts = [
    RoutingAccount(id: 1, addresses: ["alice@example.test", "alice@example.org"]),
    RoutingAccount(id: 2, addresses: ["bob@example.test"]),
    RoutingAccount(id: 3, addresses: ["jörg@bücher.test"]),
]

private let configuration = RoutingConfiguration(
    domains: [
        .init(
            name: "example.test",
            aliases: [
                .init(localPart: "team", targets: ["alice", "friends", "bob@example.test"]),
                .init(localPart: "friends", targets: ["bob+friends", "jörg@bücher.test"]),
                .init(localPart: "a+b", targets: ["bob"]),
            ]),
        .init(name: "example.org", catchAll: "bob@example.test"),
        .init(name: "bücher.test"),
    ],
    postmaster: "bob@example.test", addressLiterals: ["127.0.0.1", "IPv6:::1"])

private func resolve(_ address: String, in directory: Directory) -> Resolution {
    let at = address.lastIndex(of: "@") ?? address.endIndex
    return directory.resolve(
        localPart: bytes(String(address[..<at])),
        domain: bytes(String(address[at...].dropFirst())))
}

private func refs(_ ids: UInt128...) -> [AccountRef] { ids.map { AccountRef(id: $0) } }

@Suite struct Resolving {
    private let directory: Directory

    init() throws {
        directory = try Directory(configuration, accounts: accounts)
    }

    @Test(
        arguments: [
            ("alice@example.test", 1), ("ALICE@Example.TEST", 1), ("\"alice\"@example.test", 1),
            ("\"a\\lice\"@example.test", 1), ("alice@example.org", 1), ("bob@example.test", 2),
            ("jörg@bücher.test", 3), ("JöRG@bücher.test", 3), ("jo\u{308}rg@bücher.test", 3),
            ("jörg@xn--bcher-kva.test", 3), ("jörg@XN--BCHER-KVA.test", 3),
            ("jörg@BÜCHER.test", 3), ("a+b@example.test", 2), ("anybody@example.org", 2),
            ("bob@example.org", 2), ("anybody+detail@example.org", 2),
        ])
    func anAddressLeadsToItsAccount(address: String, id: Int) {
        #expect(
            resolve(address, in: directory) == .accounts(refs(UInt128(id)), detail: []))
    }

    @Test(
        arguments: [
            ("alice+Shop@example.test", 1, "Shop"), ("alice+@example.test", 1, ""),
            ("alice+a+b@example.test", 1, "a+b"), ("a+b+c@example.test", 0, ""),
        ])
    func whatFollowsThePlusIsTheDetail(address: String, id: Int, detail: String) {
        #expect(
            resolve(address, in: directory)
                == (id == 0
                    ? .unknownUser : .accounts(refs(UInt128(id)), detail: bytes(detail))))
    }

    @Test func nestedAliasesReachEachAccountOnce() {
        let friends = AccountRef(id: 2, detail: bytes("friends"))
        #expect(
            resolve("team@example.test", in: directory)
                == .accounts([AccountRef(id: 1), friends, AccountRef(id: 3)], detail: []))
        #expect(
            resolve("friends+x@example.test", in: directory)
                == .accounts([friends, AccountRef(id: 3)], detail: bytes("x")))
    }

    @Test(
        arguments: [
            "postmaster@example.test", "PostMaster@example.org", "postmaster@bücher.test",
            "postmaster", "POSTMASTER", "postmaster@[127.0.0.1]", "postmaster@[ipv6:::1]",
        ])
    func postmasterIsAlwaysReached(address: String) {
        #expect(resolve(address, in: directory) == .accounts(refs(2), detail: []))
    }

    @Test(
        arguments: [
            "nobody@example.test", "alice", "alice@[127.0.0.1]", "+x@example.test", "@example.test",
            "\"@example.test", "\"\"@example.test", "alice @example.test", "bob@bücher.test",
            String(repeating: "a", count: 300) + "@example.test",
        ])
    func strangersInOurDomainsAreUnknown(address: String) {
        #expect(resolve(address, in: directory) == .unknownUser)
    }

    @Test(
        arguments: [
            "alice@elsewhere.test", "alice@sub.example.test", "alice@test",
            "alice@example.test.", "alice@.example.test", "postmaster@elsewhere.test",
            "postmaster@[192.0.2.1]", "postmaster@[", "alice@exämple.test", "alice@\u{0}",
            "alice@" + String(repeating: "é", count: 600), "alice@example.test\u{0}",
            "alice%elsewhere.test@elsewhere.test",
        ])
    func nothingIsRelayed(address: String) {
        #expect(resolve(address, in: directory) == .relayDenied)
    }

    @Test func bytesThatAreNotTextLeadNowhere() {
        #expect(
            directory.resolve(localPart: [0xFF, 0xFE], domain: bytes("example.test"))
                == .unknownUser)
        #expect(
            directory.resolve(localPart: bytes("alice"), domain: [0xFF]) == .relayDenied)
    }

    @Test func loginsAreOwnAddressesOnly() throws {
        #expect(directory.account(login: "Alice@example.test") == 1)
        #expect(directory.account(login: "alice@example.org") == 1)
        for name in ["team@example.test", "alice+x@example.test", "alice", "x@y@z", "", "@", "a@"] {
            #expect(directory.account(login: name) == nil, "\(name)")
        }
        let single = try Directory(
            RoutingConfiguration(domains: [.init(name: "example.test")]),
            accounts: [RoutingAccount(id: 7, addresses: ["zoe@example.test"])])
        #expect(single.account(login: "zoe") == 7)
    }

    @Test func theSeparatorCanBeAnotherOrNone() throws {
        var other = RoutingConfiguration(domains: [.init(name: "example.test")])
        let owner = [RoutingAccount(id: 1, addresses: ["alice@example.test"])]
        other.detailSeparator = UInt8(ascii: "-")
        let dashes = try Directory(other, accounts: owner)
        #expect(
            resolve("alice-x@example.test", in: dashes)
                == .accounts(refs(1), detail: bytes("x")))
        other.detailSeparator = nil
        let none = try Directory(other, accounts: owner)
        #expect(resolve("alice+x@example.test", in: none) == .unknownUser)
    }

    @Test func withoutAPostmasterTheFirstAccountIs() throws {
        let plain = RoutingConfiguration(domains: [.init(name: "example.test")])
        let one = try Directory(
            plain, accounts: [RoutingAccount(id: 5, addresses: ["zoe@example.test"])])
        #expect(resolve("postmaster", in: one) == .accounts(refs(5), detail: []))
        let empty = try Directory(plain, accounts: [])
        #expect(resolve("postmaster", in: empty) == .unknownUser)
    }

    @Test func tenThousandAddressesAreAllFound() throws {
        let many = (0..<10_000).map {
            RoutingAccount(id: UInt128($0), addresses: ["user\($0)@example.test"])
        }
        let big = try Directory(
            RoutingConfiguration(domains: [.init(name: "example.test")]), accounts: many)
        for i in 0..<10_000 {
            #expect(
                resolve("user\(i)@example.test", in: big)
                    == .accounts(refs(UInt128(i)), detail: []))
        }
        #expect(resolve("user10000@example.test", in: big) == .unknownUser)
    }
}

@Suite struct Problems {
    private func problems(
        _ aliases: [(String, [String])], catchAll: String? = nil, postmaster: String? = nil,
        accounts: [RoutingAccount] = accounts
    ) -> [String] {
        let list = aliases.map {
            RoutingConfiguration.Alias(localPart: $0.0, targets: $0.1)
        }
        let routing = RoutingConfiguration(
            domains: [
                .init(name: "example.test", aliases: list, catchAll: catchAll),
                .init(name: "example.org"), .init(name: "bücher.test"),
            ], postmaster: postmaster)
        return Directory.build(routing, accounts: accounts).problems.map(\.description)
    }

    @Test func circlesAreNamed() {
        let found = problems([("a", ["b"]), ("b", ["alice", "c"]), ("c", ["a"])])
        #expect(found.count == 1)
        #expect(
            found.first?.contains(
                "a@example.test -> b@example.test -> c@example.test -> a@example.test") == true)
        #expect(
            problems([("a", ["a"])]).first?.contains("a@example.test -> a@example.test") == true)
    }

    @Test(
        arguments: [
            ("nobody", "neither an account nor an alias"),
            ("x@elsewhere.test", "outside our domains"), ("", "not an address"),
            ("@example.test", "not an address"), ("a@", "not an address"),
            ("\"@example.test", "not an address"),
        ])
    func targetsHaveToLeadSomewhere(target: String, message: String) {
        for found in [
            problems([("list", ["alice", target])]), problems([], catchAll: target),
            problems([], postmaster: target),
        ] {
            #expect(found.count == 1)
            #expect(found.first?.contains(message) == true, "\(found)")
        }
    }

    @Test func aBrokenTargetDoesNotStopTheOthers() {
        let routing = RoutingConfiguration(
            domains: [
                .init(
                    name: "example.test",
                    aliases: [.init(localPart: "team", targets: ["gone", "bob"])]),
                .init(name: "example.org"), .init(name: "bücher.test"),
            ])
        let built = Directory.build(routing, accounts: accounts)
        #expect(built.problems.count == 1)
        #expect(
            resolve("team@example.test", in: built.directory) == .accounts(refs(2), detail: []))
        #expect(throws: RoutingProblems.self) { try Directory(routing, accounts: accounts) }
    }

    @Test func oneAddressHasOneMeaning() {
        #expect(problems([("ALICE", ["bob"])]).first?.contains("an account already") == true)
        #expect(problems([("x", ["bob"]), ("X", ["bob"])]).first?.contains("twice") == true)
        let double = accounts + [RoutingAccount(id: 9, addresses: ["BOB@example.test"])]
        #expect(problems([], accounts: double).first?.contains("Two accounts") == true)
        #expect(problems([("x", [])]).first?.contains("no target") == true)
        #expect(problems([("x@y", ["bob"])]).first?.contains("not a local part") == true)
    }

    @Test func domainsAreNamedOnceAndWell() {
        let routing = RoutingConfiguration(
            domains: [
                .init(name: "bücher.test"), .init(name: "XN--bcher-kva.test"), .init(name: "a b"),
                .init(name: ""), .init(name: "a..b"), .init(name: "-a.b"),
            ])
        let found = Directory.build(routing, accounts: []).problems
        #expect(found.map(\.path) == (1...5).map { "domain[\($0)].name" })
    }

    @Test func anAccountOutsideOurDomainsIsAProblem() {
        let stray = [RoutingAccount(id: 1, addresses: ["a@elsewhere.test", "nonsense"])]
        #expect(problems([], accounts: stray).count == 2)
    }

    @Test(arguments: [31, 33, 5000])
    func nestingHasALimitAndNoCrash(depth: Int) {
        let chain = (0..<depth).map { ("a\($0)", [$0 + 1 < depth ? "a\($0 + 1)" : "alice"]) }
        let isFine = depth <= 32
        #expect(problems(chain).isEmpty == isFine)
        #expect(problems(chain.reversed()).isEmpty == isFine)
    }
}
