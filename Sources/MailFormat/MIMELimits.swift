/// What a message may cost, whatever is in it.
public struct MIMELimits: Hashable, Sendable {
    /// Multiparts and messages inside each other. Deeper ones are leaves. At most 500.
    public var depthMax: Int
    /// Parts of one message. Behind the last, delimiters are text.
    public var partsMax: Int
    /// Octets of one header field that are read as a value (ENVELOPE, parameters, search).
    public var valueMaxOctets: Int
    /// Addresses of one field.
    public var addressesMax: Int
    /// Parameters of one field.
    public var parametersMax: Int
    /// Octets of one encoded structure, beyond which its parts are shown as opaque.
    public var structureMaxOctets: Int
    /// Octets of the header fields kept for lists.
    public var listedFieldsMaxOctets: Int

    public init(
        depthMax: Int = 100, partsMax: Int = 10_000, valueMaxOctets: Int = 524_288,
        addressesMax: Int = 10_000, parametersMax: Int = 128,
        structureMaxOctets: Int = 4_194_304, listedFieldsMaxOctets: Int = 65_536
    ) {
        self.depthMax = min(max(depthMax, 0), 500)
        self.partsMax = max(partsMax, 1)
        self.valueMaxOctets = max(valueMaxOctets, 0)
        self.addressesMax = max(addressesMax, 0)
        self.parametersMax = max(parametersMax, 0)
        self.structureMaxOctets = max(structureMaxOctets, 0)
        self.listedFieldsMaxOctets = max(listedFieldsMaxOctets, 0)
    }
}
