import MailStore
import Platform

/// Which deliveries were answered with a `250` that the sender may not have seen (R7).
///
/// A sender whose connection broke between our `250` and its reading it sends the same message again,
/// here or on the other node. One such retry of the same bytes, from the same reverse-path, to the same
/// recipient, is absorbed. As soon as the sender shows that it saw the answer (any further command
/// does), its entry goes: equal mails that were all acknowledged are all kept. And nothing is absorbed
/// while the session that delivered the first is still there: equal mails that arrive at the same time
/// are several mails.
struct RetryMemory: Sendable {
    /// Entries that nobody acknowledges or retries go after this time: senders give up by then
    /// (RFC 5321 §4.5.4.1: 4–5 days).
    static let lifetime = Duration.seconds(5 * 86_400)

    private struct Entry {
        var ticket: InstanceID
        var accepted: Instant
        /// The session that delivered it may still show that it saw the answer.
        var isOpen: Bool
    }

    private var entries: [SHA256Digest: Entry] = [:]
    private var keys: [InstanceID: [SHA256Digest]] = [:]

    var count: Int { entries.count }

    static func key(reversePath: [UInt8], forwardPath: [UInt8], received: SHA256Digest)
        -> SHA256Digest
    {
        var writer = ByteWriter(reserving: 64 + reversePath.count + forwardPath.count)
        writer.blob(reversePath)
        writer.blob(forwardPath)
        writer.digest(received)
        return SHA256Digest(hashing: writer.bytes)
    }

    mutating func remember(_ accept: Op.Accept) {
        guard let ticket = accept.deliveries.first?.instance else { return }
        var made: [SHA256Digest] = []
        for delivery in accept.deliveries where !delivery.forwardPath.isEmpty {
            let key = Self.key(
                reversePath: accept.reversePath, forwardPath: delivery.forwardPath,
                received: accept.receivedDigest)
            entries[key] = Entry(ticket: ticket, accepted: accept.internalDate, isOpen: true)
            made.append(key)
        }
        if !made.isEmpty { keys[ticket] = made }
    }

    mutating func acknowledge(_ ticket: InstanceID) {
        for key in keys.removeValue(forKey: ticket) ?? [] where entries[key]?.ticket == ticket {
            entries.removeValue(forKey: key)
        }
    }

    /// The session of this message ended without a sign that its `250` was seen.
    mutating func abandon(_ ticket: InstanceID) {
        for key in keys[ticket] ?? [] where entries[key]?.ticket == ticket {
            entries[key]?.isOpen = false
        }
    }

    /// No session outlives the process that it was in.
    mutating func abandonAll() {
        for key in entries.keys { entries[key]?.isOpen = false }
    }

    /// Whether the message is a retry of one that was accepted; if so, the entry is used up.
    mutating func absorb(_ key: SHA256Digest) -> InstanceID? {
        guard let entry = entries[key], !entry.isOpen else { return nil }
        return forget(key)
    }

    private mutating func forget(_ key: SHA256Digest) -> InstanceID? {
        guard let entry = entries.removeValue(forKey: key) else { return nil }
        keys[entry.ticket]?.removeAll { $0 == key }
        if keys[entry.ticket]?.isEmpty == true { keys[entry.ticket] = nil }
        return entry.ticket
    }

    mutating func dropExpired(at now: Instant) {
        let limit = now.nanosecondsSinceEpoch - Self.lifetime.wholeNanoseconds
        for (key, entry) in entries where entry.accepted.nanosecondsSinceEpoch < limit {
            _ = forget(key)
        }
    }

    // MARK: Checkpoints

    func encode(into w: inout ByteWriter) {
        let sorted = entries.sorted { $0.key < $1.key }
        w.array(sorted) {
            $0.digest($1.key)
            $0.fixed($1.value.ticket.rawValue)
            $0.fixed($1.value.accepted.nanosecondsSinceEpoch)
        }
    }

    init() {}

    init(from r: inout ByteReader) throws(DecodingFailure) {
        let length = try r.count(elementOctets: 56)
        for _ in 0..<length {
            let key = try r.digest()
            let ticket = InstanceID(rawValue: try r.fixed())
            let accepted = Instant(nanosecondsSinceEpoch: try r.fixed())
            entries[key] = Entry(ticket: ticket, accepted: accepted, isOpen: false)
            keys[ticket, default: []].append(key)
        }
    }
}
