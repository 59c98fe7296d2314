import Node
import Platform

/// The numbers of all bodies that some message names.
struct LiveBodies: Sendable {
    /// Ascending, each once.
    let numbers: [BodyNumber]

    init(_ node: Node) {
        var all: [UInt64] = []
        for id in node.accounts.keys.sorted() {
            guard let account = node.accounts[id] else { continue }
            for message in account.pending.values { all.append(message.facts.body.rawValue) }
            for mailbox in account.mailboxes {
                for chunk in mailbox.messages.chunks {
                    for facts in chunk.facts { all.append(facts.body.rawValue) }
                }
            }
        }
        all.sort()
        var unique: [BodyNumber] = []
        unique.reserveCapacity(all.count)
        for number in all where unique.last?.rawValue != number {
            unique.append(BodyNumber(rawValue: number))
        }
        numbers = unique
    }

    func contains(_ number: BodyNumber) -> Bool {
        var low = 0
        var high = numbers.count
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        return low < numbers.count && numbers[low] == number
    }
}
