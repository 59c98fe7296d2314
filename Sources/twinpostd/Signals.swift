import Glibc
import PlatformLinux

/// Signals as a sequence of values: blocked in every thread and waited for in one.
///
/// To be made before any other thread is.
struct Signals {
    let stream: AsyncStream<Int32>
    private let continuation: AsyncStream<Int32>.Continuation

    init(_ numbers: [Int32]) {
        var set = sigset_t()
        sigemptyset(&set)
        for number in numbers { sigaddset(&set, number) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let (stream, continuation) = AsyncStream.makeStream(of: Int32.self)
        self.stream = stream
        self.continuation = continuation
        let waited = set
        // The thread lives as long as the process.
        _ = WorkerThread(name: "signals") {
            var set = waited
            var number: Int32 = 0
            while sigwait(&set, &number) == 0 { continuation.yield(number) }
        }
    }

    /// Puts a number into the stream as if the signal had come.
    func raise(_ number: Int32) { continuation.yield(number) }
}
