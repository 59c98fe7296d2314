import IMAP
import MailStore
import Node

extension Session {
    /// Executes a whole command. `bodies` are its streamed literals, in order.
    mutating func execute(_ frame: IMAPFrame, bodies: [StoredBody]) -> Effect {
        waiting = .nothing
        let limits =
            account == nil
            ? service.configuration.grammarBeforeLogin : service.configuration.grammar
        var parser = CommandParser(limits: limits)
        parser.isUTF8 = isUTF8
        do throws(IMAPSyntaxError) {
            let parsed = try parser.parse(frame)
            tag = parsed.tag
            return execute(parsed.command, frame, bodies)
        } catch {
            tag = frame.tag ?? []
            encoder.refusal(error, tag: frame.tag, to: &out)
            return error.status == .no && frame.tag != nil ? .done : countBad()
        }
    }

    /// What was refused while it was framed.
    mutating func refuse(_ refusal: IMAPRefusal) -> Effect {
        encoder.refusal(refusal, to: &out)
        return countBad()
    }

    private mutating func execute(
        _ command: IMAPCommand, _ frame: IMAPFrame, _ bodies: [StoredBody]
    ) -> Effect {
        switch command {
        case .capability: return capability()
        case .noop: return finish("Done")
        case .logout: return logout()
        case .id: return id()
        case .startTLS, .authenticate, .login:
            guard account == nil else { return bad("You are logged in already") }
            return executeBeforeLogin(command)
        default: break
        }
        guard account != nil else { return bad("Log in first") }
        guard let state = accountState else {
            return bye(nil, "The account is gone")
        }
        switch command {
        case .check, .close, .unselect, .expunge, .search, .fetch, .store, .copy, .move:
            guard let selected else { return bad("Select a mailbox first") }
            return execute(command, on: selected, state)
        case .append(let mailbox, let messages):
            return append(mailbox, messages, frame, bodies, state)
        default: return execute(command, state)
        }
    }

    private mutating func executeBeforeLogin(_ command: IMAPCommand) -> Effect {
        switch command {
        case .startTLS: return startTLS()
        case .authenticate(let mechanism, let response):
            return authenticate(mechanism, response)
        case .login(let user, let password): return login(user, password)
        default: return bad("Unexpected command")
        }
    }

    /// Commands that need a login only.
    private mutating func execute(_ command: IMAPCommand, _ state: AccountState) -> Effect {
        switch command {
        case .idle: return idle()
        case .namespace:
            encoder.namespace(to: &out)
            return finish("Done")
        case .enable(let names): return enable(names)
        case .select(let mailbox, let parameters, let isReadOnly):
            return select(mailbox, parameters, isReadOnly, state)
        case .create(let mailbox, let specialUse): return create(mailbox, specialUse)
        case .delete(let mailbox): return delete(mailbox, state)
        case .rename(let from, let to): return rename(from, to, state)
        case .subscribe(let mailbox): return subscribe(mailbox, true)
        case .unsubscribe(let mailbox): return subscribe(mailbox, false)
        case .list(let request): return list(request, state)
        case .lsub(let reference, let pattern): return lsub(reference, pattern, state)
        case .status(let mailbox, let items): return status(mailbox, items, state)
        default: return bad("Unexpected command")
        }
    }

    /// Commands on the selected mailbox.
    private mutating func execute(
        _ command: IMAPCommand, on selected: SelectedMailbox, _ state: AccountState
    ) -> Effect {
        switch command {
        case .search, .fetch, .store, .copy, .move:
            if case .fetch(_, let request, let isUID) = command, request.isVanished,
                !isUID || !enabled.contains(.qresync)
            {
                return bad("VANISHED needs QRESYNC and UID FETCH")
            }
            if command.enablesCondstore { enableCondstore() }
            if let first = refresh(next: .command(command)) { return first }
            return execute(command, onPresent: self.selected ?? selected, state)
        case .expunge(let uids): return expunge(uids, selected)
        case .check: return finish("Done")
        case .close: return close(selected)
        case .unselect:
            self.selected = nil
            return finish("Mailbox is not selected any more")
        default: return bad("Unexpected command")
        }
    }

    /// Commands on messages, which see the mailbox's present state.
    private mutating func execute(
        _ command: IMAPCommand, onPresent selected: SelectedMailbox, _ state: AccountState
    ) -> Effect {
        switch command {
        case .search(let request, let isUID):
            return search(request, isUID: isUID, selected.view)
        case .fetch(let set, let request, let isUID):
            return fetch(set, request, isUID: isUID, selected)
        case .store(let set, let request, let isUID):
            return store(set, request, isUID: isUID, selected)
        case .copy(let set, let mailbox, let isUID):
            return copy(set, mailbox, isUID: isUID, isMove: false, selected, state)
        case .move(let set, let mailbox, let isUID):
            return copy(set, mailbox, isUID: isUID, isMove: true, selected, state)
        default: return bad("Unexpected command")
        }
    }

    // MARK: What comes back

    /// The node's answer to `Effect.submit`.
    mutating func receive(_ result: ChangeResult) -> Effect {
        guard case .change(let pending) = waiting else { return .done }
        waiting = .nothing
        switch pending {
        case .store(let store): return stored(store, result)
        case .markSeen(let fetch): return markedSeen(fetch, result)
        case .expunge: return expunged(result)
        case .close: return closed(result)
        case .copy(let copy): return copied(copy, result)
        case .append(let mailbox): return appended(to: mailbox, result)
        case .create: return created(result)
        case .delete(let mailbox): return deleted(mailbox, result)
        case .plain(let text):
            if case .refused(let refusal) = result { return refuse(refusal) }
            return finish("\(text)")
        }
    }

    /// All that `Effect.fetch` had to send is sent.
    mutating func produced(_ producer: FetchProducer) -> Effect {
        let waited = waiting
        waiting = .nothing
        switch waited {
        case .fetch(let fetch): return fetched(fetch, producer)
        case .storeReport(let store): return reported(store)
        case .report(let next): return goOn(next)
        default: return .done
        }
    }

    /// What others changed has been told.
    private mutating func goOn(_ next: AfterReport) -> Effect {
        switch next {
        case .reply(let reply):
            out.append(contentsOf: reply)
            return .done
        case .idle:
            // More may have come while this was sent.
            waiting = .idle
            return tellWhileIdle()
        case .stored(let store): return reportStored(store)
        case .command(let command):
            guard let selected, let state = accountState else { return lost() }
            return execute(command, on: selected, state)
        }
    }

    // MARK: Names of messages

    /// The messages that a command names; or the reply that refuses it.
    enum Named {
        case selection(MailboxView.Selection)
        case effect(Effect)
    }

    mutating func messages(_ set: SequenceSet, isUID: Bool, in view: MailboxView) -> Named {
        if set.isSavedResult {
            return .selection(.init(uids: savedSearch, hasGhosts: false))
        }
        if isUID {
            return .selection(view.select(uids: set.resolved(largest: view.largestUID)))
        }
        // RFC 9051 §9, `seq-number`: a number that no message has is BAD, "*" of an empty mailbox too.
        guard view.count > 0,
            let selection = view.select(
                sequences: set.resolved(largest: UInt32(view.count)))
        else { return .effect(bad("There is no message of that number")) }
        return .selection(selection)
    }
}

extension IMAPCommand {
    /// Whether the client hears of every MODSEQ from this command on (RFC 7162 §3.1).
    fileprivate var enablesCondstore: Bool {
        switch self {
        case .fetch(_, let request, _):
            request.changedSince != nil || request.items.contains(.modSeq)
        case .store(_, let request, _): request.unchangedSince != nil
        default: false
        }
    }
}
