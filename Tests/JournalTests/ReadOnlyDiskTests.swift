import Glibc
import Journal
import Platform
import PlatformLinux
import Testing

@Suite struct ReadOnlyDiskTests {
    @Test func aJournalIsReadAndVerifiedWhereNothingCanBeWritten() throws {
        var template = Array("/tmp/twinpost-readonly-XXXXXX".utf8CString)
        let path = String(cString: try #require(mkdtemp(&template)))
        let disk = try LinuxDisk(path: path)
        defer {
            for name in (try? disk.list()) ?? [] { try? disk.remove(name) }
            rmdir(path)
        }
        let journal = try Journal.open(disk: disk, configuration: configuration(1))
        let number = try journal.append(body: [4, 5], digest: SHA256Digest(hashing: [4, 5]))
        _ = try journal.append(OpHeader(type: 1, clock: 1), payload: [6], body: number)
        try journal.commit()

        let reading = try LinuxDisk(path: path, readOnly: true)
        let names = try reading.list().sorted()
        let read = try Journal.read(disk: reading, configuration: configuration(2))
        #expect(try read.bodies.read(number) == [4, 5])
        #expect(Journal.verify(disk: reading, configuration: configuration(2)).damage.isEmpty)
        let segment = try #require(names.first { $0.hasPrefix("segment-") })
        let file = try reading.open(segment, create: true)
        #expect(throws: DiskError.self) { try file.write(at: 0, [1]) }
        #expect(throws: DiskError.self) { try file.truncate(to: 0) }
        #expect(throws: DiskError.self) { try reading.open("new-file", create: true) }
        #expect(throws: DiskError.self) { try reading.remove(segment) }
        #expect(throws: DiskError.self) { try reading.rename(segment, to: "other") }
        #expect(try disk.list().sorted() == names)
        #expect(journal.verify().isEmpty)
    }
}
