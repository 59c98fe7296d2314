import Journal
import MailStore
import Node
import NodeRuntime
import Platform
import PlatformLinux
import SQLiteIndex
import Synchronization

/// Makes a node's index anew from its journal, which is only read.
public struct IndexBuilder {
    private static let step = 5_000

    private let data: NodeData

    /// - Parameter data: taken hold of, so that no node has the index open.
    public init(_ data: NodeData) { self.data = data }

    /// - Parameter progress: hears how many of how many are done.
    /// - Returns: the number of rows.
    public func run(progress: (_ done: Int, _ all: Int) -> Void = { _, _ in })
        throws(NodeDataError) -> Int
    {
        let disk: OverlayDisk
        do throws(DiskError) {
            disk = OverlayDisk(over: try LinuxDisk(path: data.journalPath, readOnly: true))
        } catch {
            throw NodeDataError("\(data.journalPath): \(error)", kind: .system)
        }
        let (node, journal) = try data.open(disk: disk)
        let numbers = Self.bodies(node)
        let bodies = journal.bodies
        let failures = Mutex<[String]>([])
        SQLiteIndex.remove(data.indexPath)
        do throws(IndexError) {
            let index = try SQLiteIndex(
                path: data.indexPath, owner: data.identity.owner,
                readBody: { try bodies.read($0) },
                report: { line in failures.withLock { $0.append(line) } })
            defer { index.close() }
            var done = 0
            while done < numbers.count {
                let end = min(numbers.count, done + Self.step)
                for number in numbers[done..<end] { index.add(number, nil) }
                index.flush()
                done = end
                progress(done, numbers.count)
            }
        } catch {
            throw NodeDataError("\(data.indexPath): \(error)", kind: .system)
        }
        if let first = failures.withLock({ $0.first }) {
            throw NodeDataError("\(data.indexPath): \(first)", kind: .damaged)
        }
        return numbers.count
    }

    private static func bodies(_ node: Node) -> [BodyNumber] {
        var numbers: Set<BodyNumber> = []
        for account in node.accounts.values {
            for message in account.pending.values { numbers.insert(message.facts.body) }
            for mailbox in account.mailboxes {
                for chunk in mailbox.messages.chunks {
                    for facts in chunk.facts { numbers.insert(facts.body) }
                }
            }
        }
        return numbers.sorted()
    }
}
