import Logging
import Platform

/// What swift-log speaks to; see `LogOutput`.
public struct LogOutputHandler: LogHandler {
    private let output: LogOutput
    public var logLevel: Logger.Level
    public var metadata: Logger.Metadata = [:]
    public var metadataProvider: Logger.MetadataProvider?

    init(output: LogOutput, logLevel: Logger.Level) {
        self.output = output
        self.logLevel = logLevel
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = event.metadata ?? [:]
        if let error = event.error, all["error"] == nil { all["error"] = "\(error)" }
        if let provided = metadataProvider?.get(), !provided.isEmpty {
            all.merge(provided) { old, _ in old }
        }
        if !metadata.isEmpty { all.merge(metadata) { old, _ in old } }
        var ready: [(key: String, value: [UInt8])] = []
        var fields: [(key: String, value: [UInt8])] = []
        fields.reserveCapacity(all.count)
        for (key, value) in all {
            if case .stringConvertible(let value) = value, let value = value as? LogFields {
                ready = value.all
            } else {
                fields.append((key, Array("\(value)".utf8)))
            }
        }
        // The order of a dictionary differs from run to run.
        if fields.count > 1 { fields.sort { $0.key < $1.key } }
        output.add(event.level, event.message.description, ready + fields)
    }
}
