import Platform

/// Which messages were answered with a `250` that their sender may not have seen (R7).
///
/// A sender whose connection broke between our `250` and its reading it sends the same message again.
/// Such a retry of the same bytes, from the same reverse-path, to the same recipient, gets the first
/// message's answer; and again, if that answer is lost too, until the sender shows that it saw one (any
/// further command does). From then on an equal mail is another mail: equal mails that were all
/// acknowledged are all kept. Each message stands for one session at a time: while the one that was
/// answered for it is there, an equal mail is another mail, too, for equal mails that arrive at the same
/// time are several.
///
/// What a session was answered is not durable state: no session outlives the process that it was in.
/// That a message was accepted, and that its sender saw the answer, is.
public struct RetryMemory: Sendable {
    /// Messages that nobody acknowledges or sends again are forgotten after this time: senders give up
    /// by then (RFC 5321 §4.5.4.1: 4–5 days).
    public static let lifetime = Duration.seconds(5 * 86_400)

    private struct Entry {
        var key: SHA256Digest
        var accepted: Instant
        /// The answer of the session that may still show that it saw it.
        var ticket: InstanceID?
        /// Another message with this key.
        var next: InstanceID?
    }

    private var entries: [InstanceID: Entry] = [:]
    private var heads: [SHA256Digest: InstanceID] = [:]
    /// The messages that a session was answered for, but for the one that its ticket names itself.
    private var companions: [InstanceID: [InstanceID]] = [:]
    /// How many have no session.
    private var lostCount = 0

    public init() {}

    /// Whether any message can be a retry.
    public var awaitsRetries: Bool { lostCount > 0 }

    /// What two deliveries have in common of which one may be the other's retry. The account is part
    /// of it, since one recipient may be a group.
    public static func key(
        reversePath: [UInt8], forwardPath: [UInt8], account: AccountID, received: SHA256Digest
    ) -> SHA256Digest {
        var writer = ByteWriter(reserving: 72 + reversePath.count + forwardPath.count)
        writer.blob(reversePath)
        writer.blob(forwardPath)
        writer.fixed(account.rawValue)
        writer.digest(received)
        return SHA256Digest(hashing: writer.bytes)
    }

    /// The key of a message from a sender; nil for one that came otherwise.
    public static func key(_ accept: Op.Accept, _ delivery: Op.Delivery) -> SHA256Digest? {
        guard !delivery.forwardPath.isEmpty else { return nil }
        return key(
            reversePath: accept.reversePath, forwardPath: delivery.forwardPath,
            account: delivery.account, received: accept.receivedDigest)
    }

    // MARK: What happens

    /// A message was accepted. - Parameter ticket: its session's answer; nil if no session is there.
    public mutating func remember(_ accept: Op.Accept, ticket: InstanceID?) {
        for delivery in accept.deliveries {
            guard let key = Self.key(accept, delivery) else { continue }
            remember(delivery.instance, key, accepted: accept.internalDate, ticket: ticket)
        }
    }

    /// As above, for one delivery.
    public mutating func remember(
        _ instance: InstanceID, _ key: SHA256Digest, accepted: Instant, ticket: InstanceID?
    ) {
        guard entries[instance] == nil else { return }
        entries[instance] = Entry(
            key: key, accepted: accepted, ticket: ticket,
            next: heads.updateValue(instance, forKey: key))
        if ticket == nil { lostCount += 1 }
        if let ticket, ticket != instance { companions[ticket, default: []].append(instance) }
    }

    /// The message of which one with this key is the retry. Changes nothing: what becomes of the retry
    /// may not be known yet.
    public func retried(_ key: SHA256Digest) -> InstanceID? {
        var found: (accepted: Instant, instance: InstanceID)?
        var at = heads[key]
        while let instance = at, let entry = entries[instance] {
            if entry.ticket == nil, found.map({ (entry.accepted, instance) < $0 }) ?? true {
                found = (entry.accepted, instance)
            }
            at = entry.next
        }
        return found?.instance
    }

    /// A retry of this message is answered; its session has got `ticket`.
    public mutating func absorb(_ instance: InstanceID, ticket: InstanceID) {
        guard let entry = entries[instance], entry.ticket == nil else { return }
        entries[instance]?.ticket = ticket
        lostCount -= 1
        if ticket != instance { companions[ticket, default: []].append(instance) }
    }

    /// A session showed that it saw its answer.
    ///
    /// - Returns: the messages that it was answered for, which are no longer known here.
    public mutating func acknowledge(_ ticket: InstanceID) -> [InstanceID] {
        let all = answered(ticket).filter { entries[$0]?.ticket ?? ticket == ticket }
        return all.filter { forget($0) }
    }

    /// A session ended without such a sign, or was not answered after all: its message may come again.
    public mutating func abandon(_ ticket: InstanceID) {
        for instance in answered(ticket) where entries[instance]?.ticket == ticket {
            entries[instance]?.ticket = nil
            lostCount += 1
        }
    }

    /// No session outlives the process that it was in.
    public mutating func abandonAll() {
        for instance in entries.keys { entries[instance]?.ticket = nil }
        companions = [:]
        lostCount = entries.count
    }

    private mutating func answered(_ ticket: InstanceID) -> [InstanceID] {
        [ticket] + (companions.removeValue(forKey: ticket) ?? [])
    }

    /// A message is known to be acknowledged, or was not accepted after all. False if it is not here.
    @discardableResult
    public mutating func forget(_ instance: InstanceID) -> Bool {
        guard let entry = entries.removeValue(forKey: instance) else { return false }
        if entry.ticket == nil { lostCount -= 1 }
        guard heads[entry.key] != instance else {
            heads[entry.key] = entry.next
            return true
        }
        var at = heads[entry.key]
        while let other = at, let next = entries[other]?.next {
            if next == instance {
                entries[other]?.next = entry.next
                break
            }
            at = next
        }
        return true
    }

    public mutating func forgetExpired(at now: Instant) {
        let limit = now.nanosecondsSinceEpoch - Self.lifetime.wholeNanoseconds
        let expired = entries.filter {
            $0.value.ticket == nil && $0.value.accepted.nanosecondsSinceEpoch < limit
        }
        for instance in expired.keys { forget(instance) }
    }

    // MARK: Checkpoints

    public func encode(into w: inout ByteWriter) {
        let sorted = entries.sorted {
            ($0.value.key, $0.key) < ($1.value.key, $1.key)
        }
        w.array(sorted) {
            $0.digest($1.value.key)
            $0.fixed($1.key.rawValue)
            $0.fixed($1.value.accepted.nanosecondsSinceEpoch)
        }
    }

    public init(from r: inout ByteReader) throws(DecodingFailure) {
        let length = try r.count(elementOctets: 56)
        for _ in 0..<length {
            let key = try r.digest()
            let instance = InstanceID(rawValue: try r.fixed())
            let accepted = Instant(nanosecondsSinceEpoch: try r.fixed())
            remember(instance, key, accepted: accepted, ticket: nil)
        }
    }
}
