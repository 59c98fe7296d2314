import Node
import Platform

/// A large message on its way to the disk, and the digest of what of it is not our trace fields.
///
/// Used by one thread at a time; every call blocks. After an error it is already cancelled.
final class SpooledMessage: @unchecked Sendable {
    // Unchecked: the session hands it to one thread of the pool and waits for it to come back before
    // it touches it again.
    private let file: any BodySpool
    private var received: SHA256Hasher? = SHA256Hasher()
    private var traceOctets: Int

    init(_ file: any BodySpool, traceOctets: Int) {
        self.file = file
        self.traceOctets = traceOctets
    }

    func write(_ piece: [UInt8]) throws {
        let skipped = min(traceOctets, piece.count)
        traceOctets -= skipped
        piece.withUnsafeBytes {
            received?.update(UnsafeRawBufferPointer(rebasing: $0[skipped...]))
        }
        do {
            try file.write(piece)
        } catch {
            file.cancel()
            throw error
        }
    }

    /// Writes the last piece and makes all of it durable.
    func finish(_ last: [UInt8]) throws -> (StoredBody, received: SHA256Digest) {
        if !last.isEmpty { try write(last) }
        do {
            let stored = try file.finish()
            let digest = received.take()?.finalize() ?? .zero
            return (stored, digest)
        } catch {
            file.cancel()
            throw error
        }
    }

    func cancel() { file.cancel() }
}
