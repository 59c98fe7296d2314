import IMAP
import NIOCore
import NIOPosix
import Node

// What must not run on an event loop: files, the index, searching.
extension IMAPHandler {
    /// Runs `work` on a thread that may block, and `then` on the loop, unless the connection has ended.
    func offLoop<T: Sendable>(
        _ work: @escaping @Sendable () -> T,
        then: @escaping (IMAPHandler, T) -> Void
    ) {
        let back = NIOLoopBound((self, then), eventLoop: loop.eventLoop)
        let eventLoop = loop.eventLoop
        shared.context.threads.submit { state in
            guard case .active = state else {
                // The process is stopping.
                return eventLoop.execute { back.value.0.closeAfterOutput() }
            }
            let result = work()
            eventLoop.execute {
                let (handler, then) = back.value
                then(handler, result)
            }
        }
    }

    // MARK: FETCH

    /// Makes and sends the next chunk of responses.
    func produce(_ producer: FetchProducer) {
        if producer.plan.isInMemory {
            var producer = producer
            let chunk = producer.produce()
            session.out.append(contentsOf: chunk.bytes)
            produced(producer, isLast: chunk.isLast)
            return
        }
        offLoop {
            var producer = producer
            let chunk = producer.produce()
            return (producer, ByteBuffer(bytes: chunk.bytes), chunk.isLast, chunk.isBroken)
        } then: { handler, result in
            let (producer, bytes, isLast, isBroken) = result
            guard !handler.isClosing else { return }
            handler.write(bytes)
            if isBroken {
                handler.log(.error, "imap message could not be read to its end")
                return handler.closeAfterOutput()
            }
            handler.produced(producer, isLast: isLast)
            handler.process()
        }
    }

    private func produced(_ producer: FetchProducer, isLast: Bool) {
        if isLast { return perform(session.produced(producer)) }
        flushOutput()
        guard let channel = channelContext?.channel else { return }
        if !channel.isWritable {
            activity = .blocked(producer)
        } else if producer.plan.isInMemory {
            // The other sessions of the loop have their turn between two chunks.
            let back = NIOLoopBound(self, eventLoop: loop.eventLoop)
            loop.eventLoop.execute {
                guard !back.value.isClosing else { return }
                back.value.produce(producer)
                back.value.process()
            }
        } else {
            produce(producer)
        }
    }

    // MARK: SEARCH

    /// Looks at some messages, and goes on until it has seen all.
    func search(_ job: SearchJob) {
        if job.isQuick {
            var job = job
            job.run()
            return perform(session.found(job))
        }
        offLoop {
            var job = job
            job.run()
            return job
        } then: { handler, job in
            guard !handler.isClosing else { return }
            guard job.isDone else { return handler.search(job) }
            handler.perform(handler.session.found(job))
            handler.process()
        }
    }

    // MARK: APPEND

    /// A message too large to be held is announced.
    func begin(_ literal: StreamedLiteral, of frame: IMAPFrame) {
        session.tag = frame.tag ?? []
        if let (code, text) = session.objection(to: frame, octets: literal.sizeOctets) {
            framer.refuseLiteral()
            upload?.cancel(on: shared.context.threads)
            upload = nil
            return perform(session.no(code, text))
        }
        let upload = self.upload ?? AppendUpload()
        self.upload = upload
        activity = .busy
        let gateway = shared.gateway
        offLoop {
            try? gateway.makeSpool()
        } then: { handler, spool in
            guard !handler.isClosing, handler.upload === upload else {
                return spool?.cancel() ?? ()
            }
            guard let spool else {
                handler.framer.refuseLiteral()
                handler.upload = nil
                handler.perform(handler.session.refuse(.diskFull))
                return handler.process()
            }
            upload.spool = spool
            if handler.framer.acceptLiteral() { handler.inviteLiteral() }
            handler.activity = .ready
            handler.process()
        }
    }

    /// Writes what has come of a literal, once it is worth it.
    func uploadProgressed(isComplete: Bool) {
        guard let upload, let spool = upload.spool else { return }
        guard isComplete || upload.octets.count >= AppendUpload.writeOctets else { return }
        let octets = upload.octets
        upload.octets = []
        upload.isWriting = true
        activity = .busy
        offLoop { () -> Result<StoredBody?, any Error> in
            Result {
                if !octets.isEmpty { try spool.write(octets) }
                return isComplete ? try spool.finish() : nil
            }
        } then: { handler, result in
            upload.isWriting = false
            handler.uploadWritten(upload, result)
        }
    }

    private func uploadWritten(
        _ upload: AppendUpload, _ result: Result<StoredBody?, any Error>
    ) {
        if upload.isCancelled { upload.cancel(on: shared.context.threads) }
        guard !isClosing else { return }
        switch result {
        case .success(let body?):
            upload.spool = nil
            upload.finished.append(body)
        case .success(nil): break
        case .failure(let error):
            // The rest of the message is still coming: there is no way on but to end here.
            log(.error, "imap append could not be written", ["error": "\(error)"])
            _ = session.bye(.unavailable, "The message could not be written")
            return closeAfterOutput()
        }
        activity = .ready
        process()
    }
}

/// The large literals of an APPEND, on their way to the disk. Confined to the connection's loop.
final class AppendUpload {
    /// Octets that are written at a time.
    static let writeOctets = 128 << 10

    /// Whole literals, in order.
    var finished: [StoredBody] = []
    /// Of the literal that is coming.
    var spool: (any BodySpool)?
    /// Come and not written yet.
    var octets: [UInt8] = []
    var isWriting = false
    private(set) var isCancelled = false

    func take(_ bytes: ByteBuffer?) {
        guard let bytes else { return }
        bytes.withUnsafeReadableBytes { octets.append(contentsOf: $0) }
    }

    /// Throws away what was written; a thread that is still writing is waited for.
    func cancel(on threads: NIOThreadPool) {
        isCancelled = true
        guard !isWriting, let spool else { return }
        self.spool = nil
        threads.submit { _ in spool.cancel() }
    }
}
