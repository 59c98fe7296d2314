import MailStore
import Platform

/// What one node sends to the other.
public struct Frame: Sendable {
    /// Both nodes' nonces, the sender's first; zero before there is a session (R1).
    public var session: (sender: UInt64, receiver: UInt64)
    /// Counts from 1 in a session.
    public var number: UInt64
    /// The sender's clock, and the latest of the receiver's that it has seen (R1).
    public var beat: MonotonicTime
    public var echo: MonotonicTime
    /// How far the sender's own stream is durable there: its durable mark.
    public var mark: UInt64
    /// How far the receiver's stream is durable at the sender.
    public var ack: UInt64
    /// How far the sender has executed the receiver's stream, durably (R17).
    public var executed: UInt64
    public var body: Body

    public init(
        session: (sender: UInt64, receiver: UInt64), number: UInt64, beat: MonotonicTime,
        echo: MonotonicTime, mark: UInt64, ack: UInt64, executed: UInt64, body: Body
    ) {
        self.session = session
        self.number = number
        self.beat = beat
        self.echo = echo
        self.mark = mark
        self.ack = ack
        self.executed = executed
        self.body = body
    }

    public enum Body: Sendable {
        indirect case hello(Hello)
        case records([LogRecord])
        case status
        /// The sender serves no branch, and holds its clients' changes (R3).
        case ready
    }
}

/// R15: who speaks, and what it has.
public struct Hello: Sendable {
    public var cluster: UInt64
    public var slot: Slot
    public var generation: UInt32
    public var nonce: UInt64
    /// The receiver's nonce as last heard; 0 if it was not.
    public var echo: UInt64
    /// The receiver wrote on without what it had lost: its states are wanted as a whole (R16).
    public var wantsStates: Bool
    /// The sender's own stream.
    public var own: [StreamState.Extent]
    /// The receiver's stream, as the sender has it.
    public var yours: [StreamState.Extent]

    public init(
        cluster: UInt64, slot: Slot, generation: UInt32, nonce: UInt64, echo: UInt64,
        wantsStates: Bool, own: [StreamState.Extent], yours: [StreamState.Extent]
    ) {
        self.cluster = cluster
        self.slot = slot
        self.generation = generation
        self.nonce = nonce
        self.echo = echo
        self.wantsStates = wantsStates
        self.own = own
        self.yours = yours
    }
}
