import IMAP
import MailFormat
import MailStore

/// A SEARCH that is going on.
struct PendingSearch: Sendable {
    var isUID: Bool
    /// nil: the answer of RFC 3501.
    var returns: SearchRequest.Return?
    var usesModSeq: Bool
}

// SEARCH and UID SEARCH (RFC 9051 §6.4.4; RFC 5182; RFC 7162 §3.1.5).
extension Session {
    mutating func search(_ request: SearchRequest, isUID: Bool, _ view: MailboxView) -> Effect {
        if request.charset != nil, enabled.contains(.utf8) {
            return bad("With UTF8=ACCEPT every search is in UTF-8")  // RFC 6855 §3
        }
        let charset = Array((request.charset ?? "").utf8)
        guard CharsetDecoder.isKnown(charset) else {
            // A search that fails leaves nothing saved (RFC 9051 §6.4.4.1).
            if request.returns?.contains(.save) == true { savedSearch = UIDSet() }
            return no(.badCharset(["UTF-8", "US-ASCII"]), "The charset is not known")
        }
        var compiler = SearchCompiler(view: view, saved: savedSearch, charset: charset)
        let node = compiler.compile(request.keys)
        if compiler.usesModSeq { enableCondstore() }
        var returns = request.returns
        // The old answer is not known to clients of the new revision.
        if returns == nil, enabled.contains(.rev2) { returns = .all }
        if returns?.contains(.save) == true { savedSearch = UIDSet() }
        waiting = .search(
            PendingSearch(isUID: isUID, returns: returns, usesModSeq: compiler.usesModSeq))
        return .search(SearchJob(node, compiler.needles, view, service))
    }

    mutating func found(_ job: SearchJob) -> Effect {
        guard case .search(let pending) = waiting, let view = selected?.view else { return .done }
        waiting = .nothing
        let numbers =
            pending.isUID ? NumberSet(job.found) : NumberSet(view.sequences(of: job.found))
        let modSeq =
            pending.usesModSeq && !job.found.isEmpty ? job.highestModSeq.rawValue : nil
        if let returns = pending.returns {
            if returns.contains(.save) { savedSearch = Self.saved(job.found, returns) }
            answer(numbers, returns, modSeq, pending)
        } else {
            encoder.search(numbers.ranges.flatMap { Array($0) }, modSeq: modSeq, to: &out)
        }
        if job.unreadable > 0 {
            return finish(
                .no, .unavailable, "\(job.unreadable) messages could not be read",
                expunges: pending.isUID)
        }
        return finish("Searched", expunges: pending.isUID)
    }

    /// What `$` stands for: of MIN and MAX alone, only those (RFC 5182 §2.4).
    private static func saved(_ found: UIDSet, _ returns: SearchRequest.Return) -> UIDSet {
        let ends = returns.intersection([.min, .max])
        guard !ends.isEmpty, returns.isDisjoint(with: [.all, .count]),
            let first = found.ranges.first?.lowerBound, let last = found.ranges.last?.upperBound
        else { return found }
        var uids: [UInt32] = []
        if ends.contains(.min) { uids.append(first) }
        if ends.contains(.max), last != first || uids.isEmpty { uids.append(last) }
        return UIDSet(uids)
    }

    /// ESEARCH; with SAVE alone there is nothing to say (RFC 5182 §2.1).
    private mutating func answer(
        _ numbers: NumberSet, _ returns: SearchRequest.Return, _ modSeq: UInt64?,
        _ pending: PendingSearch
    ) {
        let wanted = returns.subtracting(.save)
        if wanted.isEmpty && returns.contains(.save) { return }
        var result = ExtendedSearchResult()
        if wanted.contains(.min) { result.minimum = numbers.first }
        if wanted.contains(.max) { result.maximum = numbers.last }
        if wanted.contains(.all) || wanted.isEmpty { result.all = numbers }
        if wanted.contains(.count) { result.count = UInt32(numbers.count) }
        result.modSeq = modSeq
        encoder.extendedSearch(tag: tag, isUID: pending.isUID, result, to: &out)
    }
}
