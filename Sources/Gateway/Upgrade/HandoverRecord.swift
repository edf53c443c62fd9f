/// What a process and the one that takes its place tell each other, a record each. Some have a descriptor with them.
///
/// The course, with the older process on the left:
///
///     format, listener…, listenersEnd  ─►   reads the configuration, binds what is new, opens the logs
///                                      ◄─   prepared
///     (nothing changes any more)
///     pool… or stored, connection…,
///     complete                         ─►   opens the pool, starts its workers
///                                      ◄─   taken
///     left                             ─►   serves
///     (lets go of all that it has lent)
///     connection…, late…               ─►   as they become free
///
/// Until `left` the older process has everything, and goes on if the newer one says `failed`, ends, or takes too long;
/// from `left` on the newer one has it, and never before has it read a byte of a client or sent one.
package import Polling

package enum HandoverRecord: Sendable {
    /// The first one. Processes of different formats part before anything has changed.
    case format(UInt64)
    /// With a listening socket.
    ///
    /// - Parameters:
    ///   - address: as the configuration writes it; nil: nobody listens there, and the service manager has given it.
    ///   - isAdopted: the service manager has bound it.
    case listener(address: String?, isAdopted: Bool)
    case listenersEnd
    case pool(PoolPart)
    /// The pool is in the file in which the newer process is to have it.
    case stored(PoolMark)
    /// With its descriptor.
    case connection(HandedConnection)
    case late(LateEvent)
    case complete
    /// The newer process has everything from now on, and the service manager knows whose number counts.
    case left

    /// - Parameter store: the directory in which the newer process is to have the pool; nil: in memory.
    case prepared(store: String?)
    case taken
    case failed(String)

    /// It changes with every change of what a record holds.
    package static let format: UInt64 = 2

    package var bytes: [UInt8] {
        var writer = RecordWriter()
        switch self {
        case .format(let number):
            writer.put(0 as UInt8)
            writer.put(number)
        case .listener(let address, let isAdopted):
            writer.put(1 as UInt8)
            writer.put(address) { $1.put($0) }
            writer.put(isAdopted)
        case .listenersEnd: writer.put(2 as UInt8)
        case .pool(let part):
            writer.put(3 as UInt8)
            part.write(to: &writer)
        case .connection(let connection):
            writer.put(4 as UInt8)
            connection.write(to: &writer)
        case .late(.change(let change)):
            writer.put(5 as UInt8)
            change.write(to: &writer)
        case .late(.revocation(let credential)):
            writer.put(11 as UInt8)
            writer.put(credential)
        case .stored(let mark):
            writer.put(12 as UInt8)
            writer.put(mark.epoch.text)
            writer.put(mark.number)
        case .complete: writer.put(6 as UInt8)
        case .left: writer.put(7 as UInt8)
        case .prepared(let store):
            writer.put(8 as UInt8)
            writer.put(store) { $1.put($0) }
        case .taken: writer.put(9 as UInt8)
        case .failed(let reason):
            writer.put(10 as UInt8)
            writer.put(reason)
        }
        return writer.bytes
    }

    package init(_ bytes: [UInt8]) throws(RecordError) {
        var reader = RecordReader(bytes)
        switch try reader.byte() {
        case 0: self = .format(try reader.number())
        case 1:
            self = .listener(
                address: try reader.optional { reader throws(RecordError) in try reader.string() },
                isAdopted: try reader.flag())
        case 2: self = .listenersEnd
        case 3: self = .pool(try PoolPart(&reader))
        case 4: self = .connection(try HandedConnection(&reader))
        case 5: self = .late(.change(try PoolChange(&reader)))
        case 6: self = .complete
        case 7: self = .left
        case 8:
            self = .prepared(store: try reader.optional { reader throws(RecordError) in try reader.string() })
        case 9: self = .taken
        case 10: self = .failed(try reader.string())
        case 11: self = .late(.revocation(try reader.optionalText()))
        case 12:
            guard let epoch = Epoch(text: try reader.text()) else { throw reader.fault }
            self = .stored(PoolMark(epoch: epoch, number: try reader.number()))
        default: throw RecordError(offset: 0)
        }
        guard reader.isAtEnd else { throw reader.fault }
    }
}

/// What comes of requests that a process has under way while another one takes its place, and afterwards.
package enum LateEvent: Sendable {
    /// Something is to be published.
    case change(PoolChange)
    /// What a credential was granted counts no more; nil: nobody's grant does.
    case revocation([UInt8]?)
}
