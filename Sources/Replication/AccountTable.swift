import MailStore

/// The accounts of a node, by id, each changed where it lies.
///
/// A dictionary of values would hash the id at every step and copy what is taken out to be looked at;
/// here `accounts[known: id]` is the place itself.
struct AccountTable: ~Copyable {
    /// Ascending.
    private(set) var keys: [AccountID] = []
    /// Of the same accounts, in the same order.
    private var places: [UnsafeMutablePointer<AccountPair>] = []

    init() {}

    deinit {
        for place in places {
            place.deinitialize(count: 1)
            place.deallocate()
        }
    }

    func contains(_ id: AccountID) -> Bool { search(id).found }

    /// - Precondition: there is such an account.
    @inline(__always)
    subscript(known id: AccountID) -> AccountPair {
        _read { yield place(id).pointee }
        _modify { yield &place(id).pointee }
    }

    /// A copy, or nil if there is none; setting makes an account.
    subscript(id: AccountID) -> AccountPair? {
        get {
            let (at, found) = search(id)
            return found ? places[at].pointee : nil
        }
        set {
            guard let newValue else { return }
            let (at, found) = search(id)
            if found {
                places[at].pointee = newValue
            } else {
                let place = UnsafeMutablePointer<AccountPair>.allocate(capacity: 1)
                place.initialize(to: newValue)
                keys.insert(id, at: at)
                places.insert(place, at: at)
            }
        }
    }

    private func place(_ id: AccountID) -> UnsafeMutablePointer<AccountPair> {
        let (at, found) = search(id)
        precondition(found, "no such account")
        return places[at]
    }

    private func search(_ id: AccountID) -> (at: Int, found: Bool) {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < id { low = middle + 1 } else { high = middle }
        }
        return (low, low < keys.count && keys[low] == id)
    }
}

// Owns its memory alone: it cannot be copied, and what it hands out is a value.
extension AccountTable: @unchecked Sendable {}
