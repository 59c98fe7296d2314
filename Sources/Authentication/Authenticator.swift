import MailStore
import NIOCore
import NIOPosix
import Node
import Platform
import SASL
import Synchronization

/// What an authenticator is told once.
public struct AuthenticatorConfiguration: Sendable {
    /// Random, stable over restarts, equal on both nodes: see `Verifier.fake`.
    public var serverSecret: [UInt8]
    /// The iteration count of new verifiers, which those of unknown users have to share.
    public var iterations: UInt32
    public var throttle: AuthThrottleLimits
    public var sasl: SASLLimits
    /// A refusal comes no sooner than this after the attempt: it costs time, and the same time
    /// whatever was wrong.
    public var refusalDelay: Duration
    /// Password checks that may wait for a thread or run; beyond, the answer is "unavailable".
    public var checksMax: Int
    /// How long a password that was right is known again without the slow hash; zero is never.
    public var successLifetime: Duration
    /// Right passwords that are remembered.
    public var successesMax: Int

    public init(
        serverSecret: [UInt8], iterations: UInt32 = Verifier.iterationsDefault,
        throttle: AuthThrottleLimits = AuthThrottleLimits(), sasl: SASLLimits = SASLLimits(),
        refusalDelay: Duration = .milliseconds(500), checksMax: Int = 256,
        successLifetime: Duration = .seconds(300), successesMax: Int = 4096
    ) {
        self.serverSecret = serverSecret
        self.iterations = iterations
        self.throttle = throttle
        self.sasl = sasl
        self.refusalDelay = refusalDelay
        self.checksMax = checksMax
        self.successLifetime = successLifetime
        self.successesMax = successesMax
    }
}

/// Who may log in: shared by all services and loops, so that an attacker pays once for all of them.
///
/// The slow hashes run on the thread pool. Nothing here is logged, and no answer tells an unknown
/// user from a wrong password, neither by its words nor by its time.
public final class Authenticator: Sendable {
    public let configuration: AuthenticatorConfiguration
    let gateway: any NodeGateway
    let pool: NIOThreadPool
    private let clock: @Sendable () -> MonotonicTime
    private let state: Mutex<State>

    private struct State: Sendable {
        var throttle: AuthThrottle
        var successes: SuccessMemory
        var checks = 0
    }

    /// - Parameter clock: the monotonic clock; the default is the event loops' own.
    public init(
        gateway: any NodeGateway, pool: NIOThreadPool, configuration: AuthenticatorConfiguration,
        clock: @escaping @Sendable () -> MonotonicTime = Authenticator.loopClock
    ) {
        self.gateway = gateway
        self.pool = pool
        self.configuration = configuration
        self.clock = clock
        var generator = SystemRandomNumberGenerator()
        let key = (0..<4).flatMap { _ in
            withUnsafeBytes(of: generator.next()) { Array($0) }
        }
        state = Mutex(
            State(
                throttle: AuthThrottle(limits: configuration.throttle),
                successes: SuccessMemory(
                    key: key, lifetime: configuration.successLifetime,
                    entriesMax: configuration.successesMax)))
    }

    public static let loopClock: @Sendable () -> MonotonicTime = {
        MonotonicTime(nanoseconds: Int64(clamping: NIODeadline.now().uptimeNanoseconds))
    }

    // MARK: Throttle

    /// How long an attempt has to wait before it is looked at.
    func delay(_ peer: AddressBlock, _ name: String) -> Duration {
        state.withLock { $0.throttle.delay(for: peer, account: Array(name.utf8), now: clock()) }
    }

    func record(success: Bool, _ peer: AddressBlock, _ name: String) {
        let name = Array(name.utf8)
        state.withLock {
            if success {
                $0.throttle.recordSuccess(address: peer, account: name, now: clock())
            } else {
                $0.throttle.recordFailure(address: peer, account: name, now: clock())
            }
        }
    }

    // MARK: Passwords

    /// The account of this name and its verifier, if it has one.
    func find(_ name: String) -> (AccountID, Verifier)? {
        guard let id = gateway.accountID(address: name), let account = gateway.account(id),
            let verifier = Verifier(encoded: account.verifier)
        else { return nil }
        return (id, verifier)
    }

    enum Verdict: Sendable {
        case right(AccountID)
        case wrong
        case unavailable
    }

    /// Checks a password; `then` is called on the loop, perhaps before this returns.
    func check(
        _ name: String, _ password: [UInt8], on loop: any EventLoop,
        then: NIOLoopBound<(Verdict) -> Void>
    ) {
        let found = find(name)
        if let found, isRemembered(found, password) { return then.value(.right(found.0)) }
        let admitted = state.withLock { state in
            guard state.checks < configuration.checksMax else { return false }
            state.checks += 1
            return true
        }
        guard admitted else { return then.value(.unavailable) }
        pool.submit { [self] poolState in
            var verdict = Verdict.unavailable
            if case .active = poolState {
                let right = PasswordCheck.run(
                    username: name, password: password, verifier: found?.1,
                    serverSecret: configuration.serverSecret, iterations: configuration.iterations)
                verdict = .wrong
                if right, let found {
                    remember(found, password)
                    verdict = .right(found.0)
                }
            }
            state.withLock { $0.checks -= 1 }
            let answer = verdict
            loop.execute { then.value(answer) }
        }
    }

    private func isRemembered(_ found: (AccountID, Verifier), _ password: [UInt8]) -> Bool {
        state.withLock { $0.successes.contains(found.0, found.1, password, now: clock()) }
    }

    private func remember(_ found: (AccountID, Verifier), _ password: [UInt8]) {
        state.withLock { $0.successes.insert(found.0, found.1, password, now: clock()) }
    }
}

/// Passwords that were right a short while ago, as keyed hashes: clients open several connections at
/// once, and each would cost 20 ms of a core otherwise.
///
/// The key is random, made at the start of the process and never leaves it. The verifier is part of
/// what is hashed, so a changed password is forgotten at once.
struct SuccessMemory: Sendable {
    private let key: [UInt8]
    private let lifetime: Duration
    private let entriesMax: Int
    private var entries: [SHA256Digest: MonotonicTime] = [:]

    init(key: [UInt8], lifetime: Duration, entriesMax: Int) {
        self.key = key
        self.lifetime = lifetime
        self.entriesMax = entriesMax
    }

    private func digest(_ account: AccountID, _ verifier: Verifier, _ password: [UInt8])
        -> SHA256Digest
    {
        let known = withUnsafeBytes(of: account.rawValue.bigEndian) { Array($0) }
        return HMACSHA256.authenticate(
            known + verifier.salt + verifier.storedKey.bytes + password, key: key)
    }

    func contains(
        _ account: AccountID, _ verifier: Verifier, _ password: [UInt8], now: MonotonicTime
    ) -> Bool {
        guard !entries.isEmpty, let until = entries[digest(account, verifier, password)] else {
            return false
        }
        return now < until
    }

    mutating func insert(
        _ account: AccountID, _ verifier: Verifier, _ password: [UInt8], now: MonotonicTime
    ) {
        guard lifetime > .zero, entriesMax > 0 else { return }
        if entries.count >= entriesMax {
            entries = entries.filter { $0.value > now }
            if entries.count >= entriesMax { entries.removeAll() }
        }
        entries[digest(account, verifier, password)] = now.advanced(by: lifetime)
    }
}
