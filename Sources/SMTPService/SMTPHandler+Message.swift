import Logging
import MailStore
import Node
import Platform
import Policy
import SMTP

/// Recipients, bodies and their hand-over to the node.
extension SMTPHandler {
    // MARK: Recipients

    func decide(on path: SMTPPath) -> SMTPRecipientDecision {
        let routing = context.routing
        let resolution = path.bytes.withUnsafeBytes { raw in
            routing.directory.resolve(
                localPart: UnsafeRawBufferPointer(rebasing: raw[..<path.localPartCount]),
                domain: path.localPartCount < raw.count
                    ? UnsafeRawBufferPointer(rebasing: raw[(path.localPartCount + 1)...])
                    : UnsafeRawBufferPointer(start: nil, count: 0))
        }
        switch resolution {
        case .unknownUser: return .refuse(.unknownUser)
        case .relayDenied: return .refuse(.relayDenied)
        case .accounts(let accounts, _):
            var found: [MailDelivery.Recipient] = []
            var isFull = false
            let declared = UInt64(clamping: session!.envelope?.declaredOctets ?? 0)
            for reference in accounts {
                let id = AccountID(rawValue: reference.id)
                guard let state = context.gateway.account(id) else { continue }
                if let quota = state.quotaOctets ?? routing.quotaDefaultOctets,
                    state.usedOctets >= quota || declared > quota - state.usedOctets
                {
                    isFull = true
                    continue
                }
                found.append(.init(account: id, forwardPath: path.bytes))
            }
            if isFull { return .refuse(.mailboxFull) }
            guard !found.isEmpty else { return .refuse(.unknownUser) }
            // An account that is reached by several of the message's recipients gets it once.
            for recipient in found
            where !recipients.contains(where: { $0.account == recipient.account }) {
                recipients.append(recipient)
            }
            return .accept(route: 0)
        }
    }

    // MARK: Bodies

    func beginMessage(_ now: Now) -> SMTPBeginDecision {
        let declared = session!.envelope?.declaredOctets ?? 0
        guard context.gateway.hasRoom(forOctets: declared) else { return .refuse(.diskFull) }
        return .accept(id: context.queueIDs.next(at: now.wall))
    }

    /// Hands a piece of a large body to a thread; false, since its outcome is to be waited for.
    func writeSpool() -> Bool {
        let piece = session!.takeSpool()
        let traceOctets = session!.traceOctets
        let open: SpooledMessage?
        switch spool {
        case .open(let file): open = file
        case .none: open = nil
        case .busy: preconditionFailure("the session spools one piece at a time")
        }
        spool = .busy
        let gateway = context.gateway
        let future = context.threads.runIfActive(eventLoop: loop.eventLoop) {
            let file = try open ?? SpooledMessage(gateway.makeSpool(), traceOctets: traceOctets)
            try file.write(piece)
            return file
        }
        future.assumeIsolated().whenComplete { [self] result in
            switch result {
            case .success(let file):
                guard session != nil else { return file.cancel() }
                spool = .open(file)
                session!.resume(spool: .accept, recycling: piece, now: now())
            case .failure(let error):
                spool = .none
                guard session != nil else { return }
                logFailure(error)
                session!.resume(spool: .refuse(.diskFull), now: now())
            }
            process()
        }
        return false
    }

    func discardSpool() {
        if case .open(let file) = spool {
            context.threads.submit { _ in file.cancel() }
        }
        spool = .none
        recipients.removeAll(keepingCapacity: true)
    }

    // MARK: Hand-over

    func submitMessage(_ now: Now) {
        let message = session!.takeMessage()
        submitted = MessageLog(
            id: message.id, reversePath: message.envelope.reversePath.bytes,
            recipientCount: message.envelope.recipients.count, octets: message.bodyOctets)
        switch spool {
        case .none:
            let (digest, received) = message.content.withUnsafeBytes { raw in
                (
                    SHA256Digest(hashing: raw),
                    SHA256Digest(
                        hashing: UnsafeRawBufferPointer(rebasing: raw[message.traceOctets...]))
                )
            }
            submit(.bytes(message.content, digest: digest), received, message.envelope)
        case .open(let file): finishSpool(file, message)
        case .busy: preconditionFailure("a message is whole before its last piece is written")
        }
    }

    private func finishSpool(_ file: SpooledMessage, _ message: SMTPReceivedMessage) {
        spool = .busy
        let future = context.threads.runIfActive(eventLoop: loop.eventLoop) {
            try file.finish(message.content)
        }
        future.assumeIsolated().whenComplete { [self] result in
            spool = .none
            switch result {
            case .success(let (stored, received)):
                submit(.stored(stored), received, message.envelope)
            case .failure(let error):
                logFailure(error)
                completed(.refused(.diskFull))
            }
        }
    }

    private func submit(
        _ body: BodySource, _ received: SHA256Digest, _ envelope: SMTPEnvelope
    ) {
        let delivery = MailDelivery(
            body: body, receivedDigest: received, reversePath: envelope.reversePath.bytes,
            recipients: recipients)
        recipients = []
        let seen = unacknowledged
        unacknowledged = nil
        loop.submit(
            NodeRequest(.deliver(delivery, acknowledges: seen), token: token, sink: loop),
            to: context.gateway)
    }

    /// The node's answer: from here on the message is ours, or the client keeps it.
    func completed(_ result: ChangeResult) {
        let log = submitted
        submitted = nil
        guard session != nil else {
            // The connection broke while the message was on its way to the disk.
            loop.deregister(token)
            if case .accepted(let ticket) = result {
                loop.submit(NodeRequest(.abandoned(ticket)), to: context.gateway)
            }
            return
        }
        switch result {
        case .accepted(let ticket):
            unacknowledged = ticket
            pipelinedOctets = input?.readableBytes ?? 0
            logAccepted(log, ticket)
            session!.resume(message: .accept, now: now(), into: &output)
        case .refused(.overQuota):
            session!.resume(message: .refuse(.mailboxFull), now: now(), into: &output)
        case .refused(.diskFull):
            session!.resume(message: .refuse(.diskFull), now: now(), into: &output)
        default:
            context.logger.warning(
                "message refused",
                metadata: ["id": "\(text(log?.id ?? []))", "result": "\(result)"])
            session!.resume(message: .refuse(.localError), now: now(), into: &output)
        }
        process()
        flushOutput()
    }

    // MARK: Log

    private func logAccepted(_ log: MessageLog?, _ ticket: InstanceID) {
        guard let log, context.logger.logLevel <= .info else { return }
        var fields = LogFields()
        fields.add("id", log.id)
        fields.add(
            "instance", withUnsafeBytes(of: ticket.rawValue.bigEndian) { Hex.encodeBytes($0) })
        fields.add("client", client.address)
        fields.add("from", log.reversePath)
        fields.add("recipients", log.recipientCount)
        fields.add("octets", log.octets)
        context.logger.info(
            "message accepted", metadata: ["message": .stringConvertible(fields)])
    }

    private func logFailure(_ error: any Error) {
        context.logger.error("message could not be stored", metadata: ["error": "\(error)"])
    }
}
