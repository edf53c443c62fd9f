/// The streams of a turn of which it is not known whether an end stands behind the bytes that were read, asked about
/// by one system call for all of them.
import Glibc

struct DoubtfulStreams: ~Copyable {
    /// POLLRDHUP of <sys/poll.h>, which C shows only to those who ask for all of GNU's.
    static let peerHasEnded: Int16 = 0x2000

    private var streams: [ByteStream] = []
    private var questions: [pollfd] = []

    var isEmpty: Bool { streams.isEmpty }

    mutating func append(_ stream: ByteStream) {
        streams.append(stream)
        questions.append(pollfd(fd: -1, events: Int16(POLLIN) | Self.peerHasEnded, revents: 0))
    }

    /// Asks, and empties itself. What comes to light is for the caller to tell the streams: they may doubt again.
    mutating func ask() -> [(stream: ByteStream, events: Int16)] {
        // A stream that has been closed since says -1, which the system passes over.
        for index in streams.indices { questions[index].fd = streams[index].descriptorNumber }
        let count = unsafe poll(&questions, nfds_t(questions.count), 0)
        // If the system can't say, each is read.
        let answers = zip(streams, questions).map { (stream: $0, events: count < 0 ? Int16(POLLIN) : $1.revents) }
        streams.removeAll(keepingCapacity: true)
        questions.removeAll(keepingCapacity: true)
        return answers
    }
}
