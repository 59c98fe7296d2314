/// Everything a client can make us hold or do has a bound here.
public struct IMAPLimits: Sendable, Equatable {
    /// Octets of one command outside its literals.
    public var lineMaxOctets = 65_536
    /// Octets of all literals that one command holds in memory, messages of APPEND aside.
    public var literalsMaxOctets = 262_144
    /// Octets of messages that one APPEND holds in memory; further ones are streamed out.
    public var messagesHeldMaxOctets = 4_194_304
    /// Literals in one command, streamed ones included.
    public var literalsMax = 1_024
    /// A message literal of APPEND above this is streamed out instead of held.
    public var streamAboveOctets = 65_536
    /// The largest message APPEND takes.
    public var messageMaxOctets = 52_428_800
    /// The largest non-synchronising literal: 4,096 under LITERAL-, `Int.max` under LITERAL+.
    public var nonSynchronisingMaxOctets = Int.max
    /// A refused command is read to its end up to this many octets; beyond, the connection closes.
    public var swallowMaxOctets = 67_108_864
    /// Depth of nested search keys.
    public var searchDepthMax = 50
    /// Search keys in one command.
    public var searchKeysMax = 5_000
    /// Ranges in one sequence set.
    public var rangesMax = 20_000
    /// Octets of a mailbox name in UTF-8.
    public var mailboxMaxOctets = 1_000
    /// Levels of a mailbox name.
    public var mailboxLevelsMax = 32
    /// Octets of a keyword.
    public var keywordMaxOctets = 128
    /// Items in any list of a command: flags, attributes, patterns, header names.
    public var listItemsMax = 1_000

    public init() {}

    /// What a client may use before it has logged in.
    public static var beforeLogin: IMAPLimits {
        var limits = IMAPLimits()
        limits.lineMaxOctets = 16_384
        limits.literalsMaxOctets = 8_192
        limits.literalsMax = 64
        limits.streamAboveOctets = .max
        limits.messageMaxOctets = 8_192
        limits.swallowMaxOctets = 65_536
        return limits
    }
}
