/// Events in the order of their time, and of their making where times are equal.
struct EventQueue<Element> {
    private var heap: [(time: Int64, number: UInt64, element: Element)] = []
    private var made: UInt64 = 0

    var isEmpty: Bool { heap.isEmpty }

    mutating func add(_ element: Element, at time: Int64) {
        made += 1
        heap.append((time, made, element))
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
            var i = 0
            while true {
                var least = i
                for child in [2 * i + 1, 2 * i + 2] where child < heap.count {
                    if isEarlier(child, least) { least = child }
                }
                if least == i { break }
                heap.swapAt(i, least)
                i = least
            }
        }
        return (first.time, first.element)
    }

    private func isEarlier(_ a: Int, _ b: Int) -> Bool {
        (heap[a].time, heap[a].number) < (heap[b].time, heap[b].number)
    }
}
