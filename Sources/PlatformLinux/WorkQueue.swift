import Glibc

/// Work for one thread: others put in, it takes all there is at once. The thread is woken only if it
/// sleeps, so that a busy one costs those who put in no system call.
public final class WorkQueue<Element: Sendable>: @unchecked Sendable {
    // Unchecked: everything below is touched only with `mutex` held.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var elements: [Element] = []
    private var isWaiting = false
    private var isClosed = false

    public init() {
        pthread_mutex_init(mutex, nil)
        var attributes = pthread_condattr_t()
        pthread_condattr_init(&attributes)
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
        pthread_cond_init(condition, &attributes)
        pthread_condattr_destroy(&attributes)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    /// - Returns: false if the queue was closed; the element is dropped then.
    @discardableResult
    public func put(_ element: Element) -> Bool { put(contentsOf: CollectionOfOne(element)) }

    /// Puts in several at once: none comes between them, and the thread is woken once.
    ///
    /// - Returns: false if the queue was closed; the elements are dropped then.
    @discardableResult
    public func put(contentsOf new: some Collection<Element>) -> Bool {
        pthread_mutex_lock(mutex)
        guard !isClosed else {
            pthread_mutex_unlock(mutex)
            return false
        }
        elements.append(contentsOf: new)
        let wake = isWaiting
        isWaiting = false
        pthread_mutex_unlock(mutex)
        if wake { pthread_cond_signal(condition) }
        return true
    }

    /// Swaps everything that waits into `batch`, which must be empty; blocks while there is nothing.
    ///
    /// - Parameter timeout: how long to block at most; nil is for ever.
    /// - Returns: false when the queue is closed and empty.
    public func takeAll(into batch: inout [Element], timeout: Duration? = nil) -> Bool {
        var deadline = timespec()
        if let timeout {
            clock_gettime(CLOCK_MONOTONIC, &deadline)
            let (seconds, attoseconds) = timeout.components
            deadline.tv_sec += Int(seconds)
            deadline.tv_nsec += Int(attoseconds / 1_000_000_000)
            if deadline.tv_nsec >= 1_000_000_000 {
                deadline.tv_nsec -= 1_000_000_000
                deadline.tv_sec += 1
            }
        }
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        while elements.isEmpty && !isClosed {
            isWaiting = true
            if timeout == nil {
                pthread_cond_wait(condition, mutex)
            } else if pthread_cond_timedwait(condition, mutex, &deadline) == ETIMEDOUT {
                break
            }
        }
        isWaiting = false
        swap(&batch, &elements)
        return !batch.isEmpty || !isClosed
    }

    /// What comes from now on is dropped; what is in the queue can still be taken.
    public func close() {
        pthread_mutex_lock(mutex)
        isClosed = true
        isWaiting = false
        pthread_mutex_unlock(mutex)
        pthread_cond_broadcast(condition)
    }
}
