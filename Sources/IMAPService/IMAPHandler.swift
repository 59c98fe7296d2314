import Authentication
import Glibc
import IMAP
import Listening
import Logging
import MailStore
import NIOCore
import NIOSSL
import NIOTLS
import Node
import SASL

/// Carries bytes between one connection and its IMAP session. Confined to its event loop.
///
/// Input that is not consumed stays in `input`; while a command is being executed no more is
/// read from the socket than a little ahead. A session that waits for its client holds no buffer.
final class IMAPHandler: ChannelInboundHandler, RemovableChannelHandler, LoopSession {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Unconsumed input above which the socket is not read.
    private static let readAheadOctets = 64 << 10

    /// What the connection is at.
    enum Activity {
        /// Nothing was said yet.
        case opening
        /// The next command may come.
        case ready
        /// Something has to come back before anything is read on.
        case busy
        /// The client's answer to a challenge is awaited.
        case answering
        /// DONE is awaited.
        case idling
        /// What a FETCH makes waits for the client to take what is there.
        case blocked(FetchProducer)
        /// Unencrypted input is dropped until the handshake.
        case securing
        case closing
    }

    let shared: IMAPShared
    let loop: SessionLoop
    private(set) var channelContext: ChannelHandlerContext?
    private(set) var token: UInt64 = 0
    private let remoteAddress: SocketAddress?
    private let implicitTLS: Bool
    private var isCounted = false

    var session: Session
    var framer: IMAPFramer
    var input: ByteBuffer?
    var activity = Activity.opening
    private var isProcessing = false
    private var isReadingPaused = false
    private var lastProgress = NIODeadline.now()
    /// The exchange of a login that is going on.
    var exchange: AuthExchange?
    /// The literals of an APPEND that are on their way to the disk.
    var upload: AppendUpload?

    init(shared: IMAPShared, loop: SessionLoop, channel: any Channel, implicitTLS: Bool) {
        self.shared = shared
        self.loop = loop
        self.implicitTLS = implicitTLS
        remoteAddress = channel.remoteAddress
        session = Session(service: shared, isTLS: implicitTLS)
        framer = IMAPFramer(limits: shared.configuration.grammarBeforeLogin)
    }

    var isClosing: Bool {
        if case .closing = activity { true } else { false }
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        token = loop.register(self)
        let limits = shared.configuration.limits
        // One chunk under way while the next is made.
        let mark = ChannelOptions.Types.WriteBufferWaterMark(
            low: limits.chunkOctets / 2, high: limits.chunkOctets * 2)
        _ = context.channel.setOption(.writeBufferWaterMark, value: mark)
        if context.channel.isActive && !implicitTLS { begin() }
    }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func channelActive(context: ChannelHandlerContext) {
        if !implicitTLS { begin() }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    /// Lets go of everything that the connection held.
    private func end() {
        activity = .closing
        loop.deregister(token, account: session.account)
        if isCounted { shared.context.connections.close(ConnectionCounts.key(remoteAddress)) }
        isCounted = false
        exchange?.abandon()
        exchange = nil
        upload?.cancel(on: shared.context.threads)
        upload = nil
        session.selected = nil
        session.waiting = .nothing
        session.out = []
        input = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            if let endPoint = tlsEntry?.serverEndPoint {
                session.channelBindings = [ChannelBinding(kind: .tlsServerEndPoint, data: endPoint)]
            }
            tlsEntry = nil
            session.isTLS = true
            if case .securing = activity {
                activity = .ready
                process()
            } else {
                begin()
            }
        } else if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        log(.debug, "imap connection failed", ["error": "\(error)"])
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        lastProgress = .now()
        switch activity {
        case .closing: return
        // What came with STARTTLS and unencrypted must not be taken for what comes after it.
        case .securing where !session.isTLS: return
        default: break
        }
        input.take(&bytes)
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        lastProgress = .now()
        if context.channel.isWritable {
            if case .blocked(let producer) = activity {
                activity = .busy
                produce(producer)
            } else {
                accountChanged()
                process()
            }
        }
        context.fireChannelWritabilityChanged()
    }

    // MARK: Beginning and end

    /// Greets the client, or turns it away.
    private func begin() {
        guard case .opening = activity else { return }
        guard shared.context.connections.open(ConnectionCounts.key(remoteAddress)) else {
            log(.notice, "imap connection refused", ["reason": "too many connections"])
            _ = session.bye(.unavailable, "Too many connections")
            return closeAfterOutput()
        }
        isCounted = true
        guard !loop.isShuttingDown else {
            _ = session.bye(.unavailable, "The server is stopping")
            return closeAfterOutput()
        }
        session.greet()
        activity = .ready
        process()
    }

    func log(
        _ level: Logger.Level, _ event: Logger.Message, _ metadata: Logger.Metadata = [:]
    ) {
        var metadata = metadata
        metadata["client"] = "\(remoteAddress?.ipAddress ?? "unknown")"
        if let account = session.account { metadata["account"] = "\(account)" }
        shared.context.logger.log(level: level, event, metadata: metadata)
    }

    var peer: AddressBlock { AddressBlock(remoteAddress) }

    func closeAfterOutput() {
        guard let channelContext else { return }
        activity = .closing
        input = nil
        flushOutput()
        channelContext.close(promise: nil)
    }

    /// Ends the session once its command is done; at once if it waits for its client.
    func shutDown() {
        switch activity {
        case .ready, .idling, .answering, .opening:
            _ = session.bye(.unavailable, "The server is stopping")
            closeAfterOutput()
        case .blocked, .securing: channelContext?.close(mode: .all, promise: nil)
        case .busy, .closing: break
        }
    }

    func checkDeadline() {
        let limits = shared.configuration.limits
        let allowed: Duration
        switch activity {
        case .closing: allowed = limits.writeTimeout
        case .busy, .blocked:
            guard channelContext?.channel.isWritable == false else { return }
            allowed = limits.writeTimeout
        default:
            allowed = session.account == nil ? limits.loginTimeout : limits.idleTimeout
        }
        guard NIODeadline.now() > lastProgress + .nanoseconds(allowed.wholeNanoseconds) else {
            return
        }
        switch activity {
        case .ready, .idling, .answering:
            _ = session.bye(nil, "Nothing was said for too long")
            closeAfterOutput()
        default:
            channelContext?.close(mode: .all, promise: nil)
        }
    }

    // MARK: Commands

    /// Executes what has come, until more has to come or something has to be waited for.
    func process() {
        guard !isProcessing, !isClosing else { return }
        isProcessing = true
        while takesInput, let event = nextEvent() { handle(event) }
        isProcessing = false
        if let rest = input, rest.readableBytes == 0 { input = nil }
        flushOutput()
        adjustReading()
    }

    /// Whether the next octets may be looked at.
    private var takesInput: Bool {
        switch activity {
        case .ready: channelContext?.channel.isWritable ?? false
        case .answering, .idling: true
        case .opening, .busy, .blocked, .securing, .closing: false
        }
    }

    private func nextEvent() -> IMAPFramer.Event? {
        guard let bytes = input, bytes.readableBytes > 0 else {
            // The end of a literal may be due without a further octet.
            return framer.isIdle
                ? nil : framerEvent(UnsafeRawBufferPointer(start: nil, count: 0)).0
        }
        let (event, consumed) = bytes.withUnsafeReadableBytes { framerEvent($0) }
        if case .literalOctets(let range)? = event {
            let start = bytes.readerIndex + range.lowerBound
            upload?.take(bytes.getSlice(at: start, length: range.count))
        }
        input!.moveReaderIndex(forwardBy: consumed)
        return event
    }

    private func framerEvent(_ bytes: UnsafeRawBufferPointer) -> (IMAPFramer.Event?, Int) {
        var consumed = 0
        let event = framer.next(bytes, consumed: &consumed)
        return (event, consumed)
    }

    private func handle(_ event: IMAPFramer.Event) {
        switch event {
        case .command(let frame):
            let bodies = upload?.finished ?? []
            upload = nil
            perform(session.execute(frame, bodies: bodies))
        case .line(let line):
            if case .idling = activity {
                framer.deliversLines = false
                activity = .ready
                perform(session.idleEnded(line))
            } else {
                answer(line)
            }
        case .continuation: inviteLiteral()
        case .literal(let frame, let literal): begin(literal, of: frame)
        case .literalOctets: uploadProgressed(isComplete: false)
        case .literalEnd: uploadProgressed(isComplete: true)
        case .refused(let refusal):
            dropUpload()
            leaveLines()
            perform(session.refuse(refusal))
        case .close(let refusal):
            dropUpload()
            session.encoder.refusal(refusal, to: &session.out)
            perform(session.bye(nil, "Too much to read"))
        }
    }

    /// Lets the client send its literal. Many send the CRLF behind it apart, and wait with that until
    /// the literal is acknowledged: a delayed acknowledgement would cost each APPEND 40 ms.
    func inviteLiteral() {
        session.encoder.continuation("Go ahead", to: &session.out)
        flushOutput()
        guard let provider = channelContext?.channel as? any SocketOptionProvider else { return }
        // It helps or it does not: a socket that is no TCP has no such option.
        provider.unsafeSetSocketOption(
            level: .tcp, name: .init(rawValue: CInt(TCP_QUICKACK)), value: CInt(1)
        ).whenFailure { _ in }
    }

    /// A line that cannot be taken ends what it was to answer.
    private func leaveLines() {
        guard framer.deliversLines else { return }
        framer.deliversLines = false
        exchange?.abandon()
        exchange = nil
        session.waiting = .nothing
        activity = .ready
    }

    private func dropUpload() {
        upload?.cancel(on: shared.context.threads)
        upload = nil
    }

    /// Carries out what a step of the session asks for.
    func perform(_ effect: Effect) {
        guard !isClosing else { return }
        if session.out.count >= shared.configuration.limits.chunkOctets { writeOutput() }
        switch effect {
        case .done:
            activity = .ready
            framer.deliversLines = false
            if loop.isShuttingDown { shutDown() }
        case .submit(let work):
            activity = .busy
            loop.submit(NodeRequest(work, token: token, sink: loop), to: shared.gateway)
        case .fetch(let producer):
            activity = .busy
            produce(producer)
        case .search(let job):
            activity = .busy
            search(job)
        case .authenticate(let mechanism, let response):
            beginExchange(mechanism) { $0.start(initialResponse: response) }
        case .login(let user, let password):
            beginExchange(.plain) { $0.start(user: user, password: password) }
        case .startTLS: startTLS()
        case .idle:
            activity = .idling
            framer.deliversLines = true
        case .close: closeAfterOutput()
        }
    }

    // MARK: From the node

    func completed(_ result: ChangeResult) {
        lastProgress = .now()
        perform(session.receive(result))
        process()
    }

    /// Something in the account is different: a client in IDLE wants to know, once it has taken what
    /// it was told before.
    func accountChanged() {
        guard case .idling = activity, channelContext?.channel.isWritable == true else { return }
        perform(session.tellWhileIdle())
        flushOutput()
    }

    // MARK: Output

    /// Hands over what there is to the channel, without flushing it.
    private func writeOutput() {
        guard !session.out.isEmpty, let channelContext else { return }
        let buffer = channelContext.channel.allocator.buffer(bytes: session.out)
        session.out = []
        channelContext.write(wrapOutboundOut(buffer), promise: nil)
    }

    func flushOutput() {
        writeOutput()
        channelContext?.flush()
    }

    func write(_ bytes: ByteBuffer) {
        writeOutput()
        channelContext?.write(wrapOutboundOut(bytes), promise: nil)
    }

    // MARK: Reading

    /// Stops reading while more waits than a command needs, so that a client cannot make us hold what
    /// it says.
    func adjustReading() {
        guard let channelContext, !isClosing else { return }
        let wanted = (input?.readableBytes ?? 0) < Self.readAheadOctets
        guard wanted == isReadingPaused else { return }
        isReadingPaused = !wanted
        _ = channelContext.channel.setOption(.autoRead, value: wanted)
    }

    // MARK: TLS

    /// What the handshake under way presents.
    private var tlsEntry: TLSContexts.Entry?

    func addTLS(_ certificates: TLSCertificates, to channel: any Channel) throws {
        try certificates.secure(channel) { [weak self] in self?.tlsEntry = $0 }
    }

    /// After the OK of STARTTLS: whatever the client sent behind it is thrown away, and so is all
    /// that it said about itself (RFC 9051 §6.2.1).
    private func startTLS() {
        guard let channelContext, let certificates = shared.context.tls.current else {
            return closeAfterOutput()
        }
        flushOutput()
        input = nil
        framer = IMAPFramer(limits: shared.configuration.grammarBeforeLogin)
        activity = .securing
        do {
            try addTLS(certificates, to: channelContext.channel)
        } catch {
            log(.error, "imap tls failed", ["error": "\(error)"])
            closeAfterOutput()
        }
    }
}
