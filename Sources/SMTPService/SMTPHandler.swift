import Listening
import Logging
import MailStore
import NIOCore
import NIOSSL
import NIOTLS
import Node
import Platform
import PlatformLinux
import Policy
import SMTP

/// Carries bytes between one connection and its SMTP session. Confined to its event loop.
///
/// Input that the session has not consumed stays in `input`; while a decision is outstanding nothing
/// more is read from the socket than one read ahead.
final class SMTPHandler: ChannelInboundHandler, RemovableChannelHandler, LoopSession {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// Unconsumed input above which the socket is not read.
    private static let readAheadOctets = 256 << 10
    /// An output buffer above this is not kept for the next reply.
    private static let keptOutputOctets = 4 << 10

    let context: SMTPServiceContext
    let loop: SessionLoop
    private var channelContext: ChannelHandlerContext?
    private(set) var token: UInt64 = 0
    private let addressKey: [UInt8]
    let client: SMTPClient
    private let implicitTLS: Bool
    private let configuration: SMTPServerConfiguration
    private var isCounted = false
    private let began = SystemClock().now().monotonic

    var session: SMTPServerSession?
    private(set) var input: ByteBuffer?
    var output: [UInt8] = []
    private var isProcessing = false
    private var isClosing = false
    private var isReadingPaused = false

    // The message at hand.
    var recipients: [MailDelivery.Recipient] = []
    var spool: SpoolState = .none
    /// The last accepted message, until a further command shows that its `250` was seen.
    var unacknowledged: InstanceID?
    /// Input that had come when that `250` went out: it proves nothing.
    var pipelinedOctets = 0
    var submitted: MessageLog?

    /// Where the body of the message at hand goes, beyond what is held in memory.
    enum SpoolState {
        case none
        case open(SpooledMessage)
        /// A thread is writing; what comes back decides.
        case busy
    }

    /// What the log line of a message says.
    struct MessageLog {
        var id: [UInt8]
        var reversePath: [UInt8]
        var recipientCount: Int
        var octets: Int
    }

    init(
        context: SMTPServiceContext, loop: SessionLoop, channel: any Channel, implicitTLS: Bool
    ) {
        self.context = context
        self.loop = loop
        self.implicitTLS = implicitTLS
        configuration = context.current.server
        addressKey = ConnectionCounts.key(channel.remoteAddress)
        client = SMTPClient(address: Self.literal(channel.remoteAddress))
    }

    private static func literal(_ address: SocketAddress?) -> [UInt8] {
        guard let address, let text = address.ipAddress else { return Array("unknown".utf8) }
        if case .v6 = address { return Array("IPv6:\(text)".utf8) }
        return Array(text.utf8)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        token = loop.register(self)
        if implicitTLS {
            // Counted before the handshake: one that never ends must not go unseen.
            guard admit() else { return closeAfterOutput() }
        } else if context.channel.isActive {
            begin(tls: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) { channelContext = nil }

    func channelActive(context: ChannelHandlerContext) {
        if session == nil && !implicitTLS { begin(tls: nil) }
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        isClosing = true
        // The answer to a message that is being stored is still to be heard of.
        if submitted == nil { loop.deregister(token) }
        if isCounted { self.context.connections.close(addressKey) }
        isCounted = false
        if let ticket = unacknowledged {
            unacknowledged = nil
            loop.submit(NodeRequest(.abandoned(ticket)), to: self.context.gateway)
        }
        discardSpool()
        session = nil
        input = nil
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent {
            let version = (try? context.pipeline.syncOperations.nioSSL_tlsVersion()) ?? nil
            let tls = SMTPTLS(version: Self.name(of: version))
            if session == nil {
                begin(tls: tls)
            } else {
                session?.tlsEstablished(tls, now: now())
                process()
            }
        } else if case ChannelEvent.inputClosed? = event as? ChannelEvent {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.context.logger.debug(
            "smtp connection failed",
            metadata: ["client": "\(text(client.address))", "error": "\(error)"])
        context.close(promise: nil)
    }

    private static func name(of version: TLSVersion?) -> [UInt8] {
        switch version {
        case .tlsv12: Array("TLS1_2".utf8)
        case .tlsv13: Array("TLS1_3".utf8)
        default: Array("TLS".utf8)
        }
    }

    /// Greets the client, or turns it away.
    private func begin(tls: SMTPTLS?) {
        guard isCounted || admit() else {
            output.append(contentsOf: SMTPReply.tooManyConnections.wire)
            return closeAfterOutput()
        }
        session = SMTPServerSession(configuration: configuration, client: client, tls: tls)
        session!.open(now: now(), into: &output)
        if loop.isShuttingDown { session!.beginShutdown() }
        process()
    }

    private func admit() -> Bool {
        isCounted = context.connections.open(addressKey)
        if !isCounted {
            context.logger.notice(
                "smtp connection refused",
                metadata: ["client": "\(text(client.address))", "reason": "too many connections"])
        }
        return isCounted
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        guard !isClosing else { return }
        input.take(&bytes)
        process()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        context.fireChannelReadComplete()
    }

    // MARK: Running the session

    func now() -> Now { SystemClock().now() }

    /// Shows the session its input until it wants more, or has to wait for a decision.
    func process() {
        guard !isProcessing, !isClosing, session != nil else { return }
        isProcessing = true
        defer { isProcessing = false }
        let now = now()
        while !isClosing, session != nil {
            let progress = receive(now)
            showProgress(progress.consumed)
            guard act(on: progress.action, now) else { break }
        }
        if let rest = input, rest.readableBytes == 0 { input = nil }
        adjustReading()
        flushOutput()
    }

    private func receive(_ now: Now) -> SMTPProgress {
        guard let bytes = input, bytes.readableBytes > 0 else {
            return session!.receive(
                UnsafeRawBufferPointer(start: nil, count: 0), now: now, into: &output)
        }
        let progress = bytes.withUnsafeReadableBytes {
            session!.receive($0, now: now, into: &output)
        }
        input!.moveReaderIndex(forwardBy: progress.consumed)
        return progress
    }

    /// Notes that input beyond what had come before the last `250` was consumed: the client has seen
    /// that answer.
    private func showProgress(_ consumed: Int) {
        guard let ticket = unacknowledged, submitted == nil else { return }
        pipelinedOctets -= consumed
        // A message that follows carries the acknowledgement with it.
        guard pipelinedOctets < 0, session!.envelope == nil else { return }
        unacknowledged = nil
        loop.submit(NodeRequest(.acknowledged(ticket)), to: context.gateway)
    }

    /// Does what the session asks for; false if it has to wait for input or a decision.
    private func act(on action: SMTPServerAction, _ now: Now) -> Bool {
        switch action {
        case .needInput, .waiting: return false
        case .checkSender:
            session!.resume(sender: .accept, now: now, into: &output)
        case .checkRecipient(let path):
            session!.resume(recipient: decide(on: path), now: now, into: &output)
        case .beginMessage:
            session!.resume(begin: beginMessage(now), now: now, into: &output)
        case .spool: return writeSpool()
        case .messageComplete:
            submitMessage(now)
            return false
        case .messageDiscarded: discardSpool()
        case .startTLS:
            startTLS()
            return false
        case .close:
            closeAfterOutput()
            return false
        }
        return true
    }

    // MARK: Output

    func flushOutput() {
        guard !output.isEmpty, let channelContext else { return }
        var buffer = channelContext.channel.allocator.buffer(capacity: output.count)
        buffer.writeBytes(output)
        if output.capacity > Self.keptOutputOctets {
            output = []
        } else {
            output.removeAll(keepingCapacity: true)
        }
        channelContext.writeAndFlush(wrapOutboundOut(buffer), promise: nil)
    }

    func closeAfterOutput() {
        isClosing = true
        input = nil
        flushOutput()
        channelContext?.close(mode: .all, promise: nil)
    }

    private func adjustReading() {
        let pause = (input?.readableBytes ?? 0) > Self.readAheadOctets
        guard pause != isReadingPaused, let channelContext else { return }
        isReadingPaused = pause
        _ = channelContext.channel.setOption(.autoRead, value: !pause)
    }

    // MARK: TLS

    private func startTLS() {
        guard let certificates = context.tls.current, let channelContext else {
            return closeAfterOutput()
        }
        // The reply goes out in the clear; whatever came behind the command is dropped unread
        // (RFC 3207 §4.2).
        flushOutput()
        input = nil
        do {
            try certificates.secure(channelContext.channel) { _ in }
        } catch {
            context.logger.error("smtp tls setup failed", metadata: ["error": "\(error)"])
            closeAfterOutput()
        }
    }

    // MARK: From the loop

    /// What changes in accounts is looked up when it is needed.
    func accountChanged() {}

    func checkDeadline() {
        guard !isClosing else { return }
        let time = now().monotonic
        guard session != nil else {
            let allowed = configuration.limits.timeouts.serverCommand
            if began.advanced(by: allowed) < time { closeAfterOutput() }
            return
        }
        guard let deadline = session!.deadline, deadline < time else { return }
        session!.timedOut(into: &output)
        process()
    }

    func shutDown() {
        guard !isClosing else { return }
        // Without a session there is a handshake under way, and nobody to talk to.
        guard session != nil else { return closeAfterOutput() }
        session!.beginShutdown()
        process()
    }

    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
