import MailStore
import Node
import Platform

/// What was parsed of a batch of messages at delivery, as far as a FETCH or SEARCH needs it.
struct StoredColumns {
    /// One column: the stored bytes of those messages that have some.
    struct Column {
        private var bytes: [UInt8] = []
        private var ranges: [Range<Int>] = []

        /// Reads a column; what cannot be read counts as missing and is made from the body.
        init(_ column: SummaryColumn, of bodies: [BodyNumber], from store: any SummaryStore) {
            ranges = Array(repeating: 0..<0, count: bodies.count)
            try? store.read(column, of: bodies) { index, stored in
                let start = bytes.count
                bytes.append(contentsOf: stored)
                // Offset by one, so that an empty value is told from a missing one.
                ranges[index] = start + 1..<bytes.count + 1
            }
        }

        init() {}

        /// Calls `body` with the stored bytes; nil if there are none.
        @inline(__always)
        func with<T>(_ index: Int, _ body: (UnsafeRawBufferPointer) throws -> T) rethrows -> T? {
            guard index < ranges.count, ranges[index].lowerBound > 0 else { return nil }
            let range = ranges[index]
            return try bytes.withUnsafeBytes {
                try body(
                    UnsafeRawBufferPointer(
                        rebasing: $0[range.lowerBound - 1..<range.upperBound - 1]))
            }
        }

        /// Appends the stored bytes; false if there are none.
        @inline(__always)
        func append(_ index: Int, to out: inout [UInt8]) -> Bool {
            with(index) { out.append(contentsOf: $0) } != nil
        }
    }

    var envelopes = Column()
    var structures = Column()
    var listedFields = Column()
    var previews = Column()

    init(_ plan: FetchPlan, _ facts: ArraySlice<MessageFacts>) {
        let wanted = plan.fields.intersection(.stored)
        let wantsFields = plan.sections.contains { $0.isListed }
        guard !wanted.isEmpty || wantsFields else { return }
        let bodies = facts.map(\.body)
        let store = plan.gateway.summaries
        if wanted.contains(.envelope) {
            envelopes = Column(.envelope, of: bodies, from: store)
        }
        if !wanted.isDisjoint(with: [.bodyStructure, .body]) {
            structures = Column(.bodyStructure, of: bodies, from: store)
        }
        if !wanted.isDisjoint(with: [.preview, .lazyPreview]) {
            previews = Column(.preview, of: bodies, from: store)
        }
        if wantsFields { listedFields = Column(.listFields, of: bodies, from: store) }
    }
}
