import NIOCore
import NIOHTTP1
import NIOPosix

/// One connection of the control channel: gathers a request, has it answered on another thread.
final class ControlHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private enum State {
        case waiting
        case receiving(HTTPRequestHead, [UInt8])
        /// Answered already, before all of it came. The rest is read, up to a limit, since a
        /// connection that is closed with octets unread takes the answer with it.
        case discarding(octets: Int)
        case answering
    }

    private let router: ControlRouter
    private let threads: NIOThreadPool
    private let limits: ControlLimits
    private var state = State.waiting

    init(router: ControlRouter, threads: NIOThreadPool, limits: ControlLimits) {
        self.router = router
        self.threads = threads
        self.limits = limits
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch (unwrapInboundIn(data), state) {
        case (.head(let head), .waiting): state = .receiving(head, [])
        case (.body(let bytes), .receiving(let head, var body)):
            state = .waiting
            guard body.count + bytes.readableBytes <= limits.bodyMaxOctets else {
                state = .discarding(octets: 0)
                refuseSize(context)
                return
            }
            body.append(contentsOf: bytes.readableBytesView)
            state = .receiving(head, body)
        case (.end, .receiving(let head, let body)):
            state = .answering
            answer(head, body, context)
        case (.body(let bytes), .discarding(let octets)):
            state = .discarding(octets: octets + bytes.readableBytes)
            if octets > 16 * limits.bodyMaxOctets { context.close(promise: nil) }
        case (.end, .discarding): context.close(promise: nil)
        default: break
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent {
            if case .answering = state { return }
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func refuseSize(_ context: ChannelHandlerContext) {
        let error = ControlError(
            413, "too-large", "A request has at most \(limits.bodyMaxOctets) octets.")
        write(ControlRouter.refusal(error), keepAlive: false, context)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func answer(_ head: HTTPRequestHead, _ body: [UInt8], _ context: ChannelHandlerContext)
    {
        let path = head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? ""
        let request = ControlRouter.Request(head.method.rawValue, path, body: body)
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let router = router
        threads.runIfActive(eventLoop: context.eventLoop) { router.answer(request) }
            .whenComplete { result in
                let (handler, context) = bound.value
                guard context.channel.isActive else { return }
                switch result {
                case .success(let response):
                    handler.send(response, keepAlive: head.isKeepAlive, context)
                case .failure: context.close(promise: nil)
                }
            }
    }

    private func send(
        _ response: ControlRouter.Response, keepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        write(response, keepAlive: keepAlive, context)
        if keepAlive {
            state = .waiting
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        } else {
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in
                bound.value.close(promise: nil)
            }
        }
    }

    private func write(
        _ response: ControlRouter.Response, keepAlive: Bool, _ context: ChannelHandlerContext
    ) {
        var head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: response.status))
        head.headers.add(name: "Content-Type", value: "application/json")
        head.headers.add(name: "Content-Length", value: "\(response.body.count)")
        if !keepAlive { head.headers.add(name: "Connection", value: "close") }
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        let bytes = context.channel.allocator.buffer(bytes: response.body)
        context.write(wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }
}
