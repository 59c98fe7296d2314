/// Events in the order of their time, and of their making where times are equal.
struct EventQueue<Element> {
    /// Small, so that moving it about costs nothing; the events lie still.
    private struct Entry {
        var time: Int64
        var number: UInt64
        var place: Int
    }

    private var heap: [Entry] = []
    private var elements: [Element?] = []
    private var free: [Int] = []
    private var made: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(_ element: Element, at time: Int64) {
        made += 1
        let place: Int
        if let old = free.popLast() {
            place = old
            elements[place] = element
        } else {
            place = elements.count
            elements.append(element)
        }
        heap.append(Entry(time: time, number: made, place: place))
        var i = heap.count - 1
        while i > 0, isEarlier(i, (i - 1) / 2) {
            heap.swapAt(i, (i - 1) / 2)
            i = (i - 1) / 2
        }
    }

    mutating func next() -> (time: Int64, element: Element)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        var element: Element?
        swap(&element, &elements[first.place])
        free.append(first.place)
        return (first.time, element!)
    }

    private mutating func siftDown() {
        var i = 0
        while true {
            var least = i
            let left = 2 * i + 1
            if left < heap.count, isEarlier(left, least) { least = left }
            if left + 1 < heap.count, isEarlier(left + 1, least) { least = left + 1 }
            if least == i { return }
            heap.swapAt(i, least)
            i = least
        }
    }

    private func isEarlier(_ a: Int, _ b: Int) -> Bool {
        let (x, y) = (heap[a], heap[b])
        return x.time != y.time ? x.time < y.time : x.number < y.number
    }
}
