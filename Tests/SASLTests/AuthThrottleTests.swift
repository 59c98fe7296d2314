import Platform
import SASL
import Testing

@Suite struct Throttle {
    private let home = AddressBlock(ipv4: (192, 0, 2, 1))
    private let attacker = AddressBlock(ipv4: (198, 51, 100, 7))
    private let alice = Array("alice@example.test".utf8)

    private func at(_ seconds: Int64) -> MonotonicTime {
        MonotonicTime(nanoseconds: seconds * 1_000_000_000)
    }

    @Test func guessingGetsSlowerUpToTheLimit() {
        var throttle = AuthThrottle()
        var delays: [Duration] = []
        for _ in 0..<12 {
            delays.append(throttle.delay(for: attacker, account: alice, now: at(0)))
            throttle.recordFailure(address: attacker, account: alice, now: at(0))
        }
        let seconds = [0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60]
        #expect(delays == seconds.map { .seconds($0) })
    }

    @Test func manyAddressesThatTryOneAccountAreSlowed() {
        var throttle = AuthThrottle()
        for i in 0..<10 {
            throttle.recordFailure(
                address: AddressBlock(ipv4: (203, 0, 113, UInt8(i))), account: alice, now: at(0))
        }
        #expect(throttle.delay(for: attacker, account: alice, now: at(0)) == .seconds(60))
        #expect(throttle.delay(for: attacker, account: [1], now: at(0)) == .zero)
    }

    @Test func oneAddressThatTriesManyAccountsIsSlowed() {
        var throttle = AuthThrottle()
        for i in 0..<10 {
            throttle.recordFailure(address: attacker, account: [UInt8(i)], now: at(0))
        }
        #expect(throttle.delay(for: attacker, account: alice, now: at(0)) == .seconds(60))
        #expect(throttle.delay(for: home, account: alice, now: at(0)) == .zero)
    }

    @Test func theOwnerIsNotSlowedWhereTheyLoggedInBefore() {
        var throttle = AuthThrottle()
        throttle.recordSuccess(address: home, account: alice, now: at(0))
        for _ in 0..<20 { throttle.recordFailure(address: attacker, account: alice, now: at(1)) }
        #expect(throttle.delay(for: home, account: alice, now: at(1)) == .zero)
        #expect(throttle.delay(for: attacker, account: alice, now: at(1)) == .seconds(60))
    }

    @Test func successForgivesTheAddressOnly() {
        var throttle = AuthThrottle()
        for _ in 0..<9 { throttle.recordFailure(address: home, account: alice, now: at(0)) }
        throttle.recordSuccess(address: home, account: alice, now: at(0))
        #expect(throttle.delay(for: home, account: alice, now: at(0)) == .zero)
        #expect(throttle.delay(for: attacker, account: alice, now: at(0)) == .seconds(60))
    }

    @Test func failuresFade() {
        var throttle = AuthThrottle()
        for _ in 0..<1000 { throttle.recordFailure(address: attacker, account: alice, now: at(0)) }
        #expect(throttle.delay(for: attacker, account: alice, now: at(599)) == .seconds(60))
        #expect(throttle.delay(for: attacker, account: alice, now: at(600 * 4)) == .seconds(2))
        #expect(throttle.delay(for: attacker, account: alice, now: at(600 * 6)) == .zero)
    }

    @Test func theTableIsBoundedAndForgetsTheStalestFirst() {
        var limits = AuthThrottleLimits()
        limits.entriesMax = 100
        var throttle = AuthThrottle(limits: limits)
        for _ in 0..<8 { throttle.recordFailure(address: home, account: alice, now: at(0)) }
        for i in 0..<5000 {
            let address = AddressBlock(ipv4: (10, 0, UInt8(i >> 8), UInt8(i & 255)))
            throttle.recordFailure(address: address, account: [UInt8(i & 7)], now: at(Int64(i)))
            // Somebody who keeps guessing is not forgotten.
            throttle.recordFailure(address: attacker, account: [9], now: at(Int64(i)))
            #expect(throttle.count <= 100)
        }
        #expect(throttle.delay(for: attacker, account: [1], now: at(5000)) == .seconds(60))
        #expect(throttle.delay(for: home, account: alice, now: at(5000)) == .zero)
    }

    @Test func addressesAreGroupedAsTheyAreOwned() {
        func block(_ text: [UInt8]) -> AddressBlock? { AddressBlock(networkBytes: text) }
        let net: [UInt8] = [0x20, 1, 0xD, 0xB8, 0, 0, 0, 1]
        #expect(
            block(net + Array(repeating: 1, count: 8)) == block(net + Array(repeating: 2, count: 8))
        )
        #expect(block(net + Array(repeating: 1, count: 8)) != block(Array(repeating: 1, count: 16)))
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [255, 255, 192, 0, 2, 1]
        #expect(block(mapped) == home)
        #expect(block([1, 2, 3]) == nil)
    }
}
