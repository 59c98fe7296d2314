import Journal
import MailStore
import Platform

// A frame on its way to the peer. The channel keeps it whole and unforged, and carries its length.
//
//     0   1  version (1)
//     1   1  body: 1 hello, 2 records, 3 status, 4 ready
//     2   8  nonce of the sender      10  8  nonce of the receiver: both 0 before there is a session
//     18  8  the sender's clock       26  8  the latest of the receiver's that it has seen
//     34     as variable-length numbers: number of the frame, mark, ack, executed
//            the body
//
//     hello:   8 cluster, 1 slot, 4 generation, 8 nonce, 8 echo, 1 whether states are wanted as a
//              whole; the sender's stream and the receiver's, each as the count of its incarnations,
//              and for each 8 incarnation, its last sequence number, 32 chain
//     records: count; for each 1 slot, 1 flags (1: must be understood), 2 type, 8 incarnation,
//              sequence number, 8 clock, 32 chain; length and payload (`Entry+Coding.swift`)
//     status, ready: nothing
//
// All of it is read, or it is no frame. Notes are never sent, nor are bodies or their numbers.

/// What a frame may hold at most: what is beyond is refused before it is read.
public struct FrameLimits: Hashable, Sendable {
    public var octetsMax = 64 << 20
    public var recordsMax = 65_536
    /// Starts of a node, over its lifetime.
    public var incarnationsMax = 1 << 20

    public init() {}
}

/// Why octets are no frame.
public enum FrameFailure: Error, Hashable, Sendable, CustomStringConvertible {
    case malformed(DecodingFailure)
    case record(RecordFailure)
    case unknownVersion(UInt8)
    case tooLong(octets: Int)
    case tooMany

    public var description: String {
        switch self {
        case .malformed(let failure): "a frame cannot be read: \(failure)"
        case .record(let failure): "a frame cannot be read: \(failure)"
        case .unknownVersion(let version): "frame version \(version) is not known"
        case .tooLong(let octets): "a frame of \(octets) octets is too long"
        case .tooMany: "a frame holds more than it may"
        }
    }
}

extension Frame {
    static let version: UInt8 = 1

    public var encoded: [UInt8] {
        var w = ByteWriter(reserving: 128)
        w.fixed(Self.version)
        w.fixed(kind)
        w.fixed(session.sender)
        w.fixed(session.receiver)
        w.fixed(beat.nanoseconds)
        w.fixed(echo.nanoseconds)
        for value in [number, mark, ack, executed] { w.varint(value) }
        switch body {
        case .hello(let hello): hello.encode(into: &w)
        case .records(let records):
            w.count(records.count)
            for record in records { record.encode(into: &w) }
        case .status, .ready: break
        }
        return w.bytes
    }

    private var kind: UInt8 {
        switch body {
        case .hello: 1
        case .records: 2
        case .status: 3
        case .ready: 4
        }
    }

    public init(decoding bytes: [UInt8], limits: FrameLimits = FrameLimits()) throws(FrameFailure) {
        guard bytes.count <= limits.octetsMax else { throw .tooLong(octets: bytes.count) }
        if let version = bytes.first, version != Self.version { throw .unknownVersion(version) }
        var r = ByteReader(bytes)
        let kind: UInt8
        do throws(DecodingFailure) {
            _ = try r.fixed(UInt8.self)
            kind = try r.fixed()
            self.init(
                session: (try r.fixed(), try r.fixed()), number: 0,
                beat: MonotonicTime(nanoseconds: try r.fixed()),
                echo: MonotonicTime(nanoseconds: try r.fixed()), mark: 0, ack: 0, executed: 0,
                body: .status)
            number = try r.varint()
            mark = try r.varint()
            ack = try r.varint()
            executed = try r.varint()
        } catch {
            throw .malformed(error)
        }
        switch kind {
        case 1: body = .hello(try Self.hello(&r, limits))
        case 2: body = .records(try Self.records(&r, limits))
        case 3: break
        case 4: body = .ready
        default: throw .malformed(DecodingFailure("no such frame", offset: 1))
        }
        do throws(DecodingFailure) { try r.expectEnd() } catch { throw .malformed(error) }
    }

    private static func hello(_ r: inout ByteReader, _ limits: FrameLimits)
        throws(FrameFailure) -> Hello
    {
        let hello: Hello
        do throws(DecodingFailure) { hello = try Hello(from: &r) } catch {
            throw .malformed(error)
        }
        guard max(hello.own.count, hello.yours.count) <= limits.incarnationsMax else {
            throw .tooMany
        }
        return hello
    }

    private static func records(_ r: inout ByteReader, _ limits: FrameLimits)
        throws(FrameFailure) -> [LogRecord]
    {
        var ops: [OpRecord] = []
        do throws(DecodingFailure) {
            ops = try r.array(elementOctets: 54) { r throws(DecodingFailure) -> OpRecord in
                try OpRecord(from: &r)
            }
        } catch {
            throw .malformed(error)
        }
        guard ops.count <= limits.recordsMax else { throw .tooMany }
        var records: [LogRecord] = []
        records.reserveCapacity(ops.count)
        do throws(RecordFailure) {
            for op in ops { records.append(try LogRecord(op)) }
        } catch {
            throw .record(error)
        }
        return records
    }
}

extension Hello {
    func encode(into w: inout ByteWriter) {
        w.fixed(cluster)
        w.fixed(slot.rawValue)
        w.fixed(generation)
        w.fixed(nonce)
        w.fixed(echo)
        w.bool(wantsStates)
        for stream in [own, yours] {
            w.array(stream) { $1.encode(into: &$0) }
        }
    }

    init(from r: inout ByteReader) throws(DecodingFailure) {
        self.init(
            cluster: try r.fixed(), slot: try r.slot(), generation: try r.fixed(),
            nonce: try r.fixed(), echo: try r.fixed(), wantsStates: try r.bool(),
            own: try r.extents(), yours: try r.extents())
    }
}

extension StreamState.Extent {
    func encode(into w: inout ByteWriter) {
        w.fixed(incarnation)
        w.varint(last)
        w.digest(chain)
    }
}

extension ByteReader {
    /// Incarnations of one stream, whose last sequence numbers ascend.
    mutating func extents() throws(DecodingFailure) -> [StreamState.Extent] {
        let extents = try array(elementOctets: 41) {
            r throws(DecodingFailure) -> StreamState.Extent in
            StreamState.Extent(
                incarnation: try r.fixed(), last: try r.varint(), chain: try r.digest())
        }
        var last: UInt64 = 0
        for extent in extents {
            guard extent.last > last else {
                throw DecodingFailure("incarnations out of order", offset: offset)
            }
            last = extent.last
        }
        return extents
    }
}

extension LogRecord {
    /// - Precondition: no note.
    func encode(into w: inout ByteWriter) {
        guard let op = opRecord else { preconditionFailure("a note is not sent") }
        w.fixed(op.name.slot)
        w.fixed(UInt8(op.header.mustUnderstand ? 1 : 0))
        w.fixed(op.header.type)
        w.fixed(op.name.incarnation)
        w.varint(op.name.sequence)
        w.fixed(op.header.clock)
        w.digest(op.chain)
        w.blob(op.payload)
    }
}

extension OpRecord {
    init(from r: inout ByteReader) throws(DecodingFailure) {
        let slot: Slot = try r.slot()
        let mustUnderstand = try r.bool()
        let type: UInt16 = try r.fixed()
        let name = OpName(
            slot: slot.rawValue, incarnation: try r.fixed(), sequence: try r.varint())
        let header = OpHeader(type: type, mustUnderstand: mustUnderstand, clock: try r.fixed())
        guard name.sequence > 0 else {
            throw DecodingFailure("a record without a number", offset: r.offset)
        }
        self.init(name: name, header: header, chain: try r.digest(), payload: try r.blob())
    }
}
