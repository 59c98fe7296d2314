import NIOCore
import NIOSSL
import NIOTLS

/// All certificates in use at a moment, and which of them a client gets by the name it asks for (SNI,
/// RFC 6066 §3).
public struct TLSCertificates: Sendable {
    /// In the order of the configuration; never empty.
    public let entries: [TLSContexts.Entry]
    private let byName: [String: Int]

    /// nil if there are none.
    init?(_ entries: [TLSContexts.Entry]) {
        if entries.isEmpty { return nil }
        self.entries = entries
        var byName: [String: Int] = [:]
        for (index, entry) in entries.enumerated() {
            for name in entry.serverNames where byName[name] == nil { byName[name] = index }
        }
        self.byName = byName
    }

    /// The certificate for a name: the one that names it, else the one that names `*.` and the rest of
    /// it, else the first; among equals the earlier one.
    public func entry(for serverName: String?) -> TLSContexts.Entry {
        guard let name = serverName?.lowercased() else { return entries[0] }
        if let index = byName[name] { return entries[index] }
        if let dot = name.firstIndex(of: "."), let index = byName["*" + name[dot...]] {
            return entries[index]
        }
        return entries[0]
    }

    /// Puts TLS in front of a connection's pipeline, on its loop.
    ///
    /// - Parameter chosen: is told the certificate, before the handshake goes on.
    public func secure(
        _ channel: any Channel, chosen: @escaping (TLSContexts.Entry) -> Void
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        guard entries.count > 1 else {
            chosen(entries[0])
            return try pipeline.addHandler(
                NIOSSLServerHandler(context: entries[0].context), position: .first)
        }
        let gate = ClearTextGate()
        try pipeline.addHandler(gate, position: .first)
        try pipeline.addHandler(
            ByteToMessageHandler(
                SNIHandler { result in
                    channel.eventLoop.assumeIsolated().makeCompletedFuture(withResultOf: {
                        var name: String?
                        if case .hostname(let given) = result { name = given }
                        let entry = entry(for: name)
                        chosen(entry)
                        try pipeline.addHandler(
                            NIOSSLServerHandler(context: entry.context), position: .before(gate))
                        // At once: what follows is what TLS has decrypted.
                        pipeline.removeHandler(gate, promise: nil)
                    })
                }), position: .first)
    }
}

/// Stands where TLS will be while the client's name is being read: nothing that comes in the clear goes
/// past it, not even when the connection ends there.
private final class ClearTextGate: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
