import Glibc

/// A thread of its own for work that blocks.
public final class WorkerThread: @unchecked Sendable {
    // Unchecked: `thread` is written once, before the object is shared.
    private var thread = pthread_t()

    private final class Start {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        /// For debuggers and top(1). The C library's call for it is not visible to Swift.
        func showName() {
            let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
            guard file >= 0 else { return }
            _ = name.withCString { write(file, $0, strlen($0)) }
            close(file)
        }

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.body = body
        }
    }

    /// Starts the thread.
    ///
    /// - Parameters:
    ///   - name: at most 15 characters, as debuggers and top(1) show it.
    ///   - niceness: how much it steps back behind other threads, 0 to 19.
    public init(name: String, niceness: Int32 = 0, body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
        let status = pthread_create(
            &thread, nil,
            { raw in
                let start = Unmanaged<Start>.fromOpaque(raw!).takeRetainedValue()
                start.showName()
                // On Linux this is the thread's own niceness (setpriority(2), NOTES).
                if start.niceness != 0 {
                    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, start.niceness)
                }
                start.body()
                return nil
            }, start.toOpaque())
        precondition(status == 0, "no thread can be started: errno \(status)")
    }

    /// Waits until the thread has ended. To be called once.
    public func join() { pthread_join(thread, nil) }
}
