/// What stands in brackets in a status response (RFC 9051 §7.1 and the extensions').
public enum ResponseCode: Sendable, Equatable {
    case alert, alreadyExists, authenticationFailed, authorizationFailed, cannot, clientBug
    case closed, contactAdmin, corruption, expired, expungeIssued, hasChildren, inUse, limit
    case noModSeq, nonExistent, noPerm, notSaved, overQuota, parse, privacyRequired, readOnly
    case readWrite, serverBug, tooBig, tryCreate, uidNotSticky, unavailable, unknownCTE, useAttr
    /// The charsets that are known.
    case badCharset([String])
    case capability([String])
    /// Flags as written; `\*` included by the caller.
    case permanentFlags([String])
    case uidNext(UInt32)
    case uidValidity(UInt32)
    case unseen(UInt32)
    case highestModSeq(UInt64)
    case modified(NumberSet)
    case appendUID(validity: UInt32, uids: NumberSet)
    /// The sets stand in the order of the messages; ranges are not joined across sets.
    case copyUID(validity: UInt32, from: NumberSet, to: NumberSet)
    case mailboxID(String)
    case appendLimit(UInt64)

    /// The name, and for codes without an argument the whole.
    var name: StaticString {
        switch self {
        case .alert: "ALERT"
        case .alreadyExists: "ALREADYEXISTS"
        case .authenticationFailed: "AUTHENTICATIONFAILED"
        case .authorizationFailed: "AUTHORIZATIONFAILED"
        case .cannot: "CANNOT"
        case .clientBug: "CLIENTBUG"
        case .closed: "CLOSED"
        case .contactAdmin: "CONTACTADMIN"
        case .corruption: "CORRUPTION"
        case .expired: "EXPIRED"
        case .expungeIssued: "EXPUNGEISSUED"
        case .hasChildren: "HASCHILDREN"
        case .inUse: "INUSE"
        case .limit: "LIMIT"
        case .noModSeq: "NOMODSEQ"
        case .nonExistent: "NONEXISTENT"
        case .noPerm: "NOPERM"
        case .notSaved: "NOTSAVED"
        case .overQuota: "OVERQUOTA"
        case .parse: "PARSE"
        case .privacyRequired: "PRIVACYREQUIRED"
        case .readOnly: "READ-ONLY"
        case .readWrite: "READ-WRITE"
        case .serverBug: "SERVERBUG"
        case .tooBig: "TOOBIG"
        case .tryCreate: "TRYCREATE"
        case .uidNotSticky: "UIDNOTSTICKY"
        case .unavailable: "UNAVAILABLE"
        case .unknownCTE: "UNKNOWN-CTE"
        case .useAttr: "USEATTR"
        case .badCharset: "BADCHARSET"
        case .capability: "CAPABILITY"
        case .permanentFlags: "PERMANENTFLAGS"
        case .uidNext: "UIDNEXT"
        case .uidValidity: "UIDVALIDITY"
        case .unseen: "UNSEEN"
        case .highestModSeq: "HIGHESTMODSEQ"
        case .modified: "MODIFIED"
        case .appendUID: "APPENDUID"
        case .copyUID: "COPYUID"
        case .mailboxID: "MAILBOXID"
        case .appendLimit: "APPENDLIMIT"
        }
    }
}
