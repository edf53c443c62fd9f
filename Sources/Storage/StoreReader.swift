/// Reads a store's rows in their order and gives them to a pool that is made again.
import CSQLite
import Polling

struct StoreReader {
    private let database: Database
    private let now: Moment
    private let wall: Int64

    init(_ database: Database, now: Moment, wall: Int64) {
        self.database = database
        self.now = now
        self.wall = wall
    }

    func read(limits: PoolLimits, lastNumber: UInt64) throws(DatabaseError) -> PoolRestoring {
        var restoring = PoolRestoring(limits: limits, lastNumber: lastNumber, now: now)
        let losses = try Statement(database, "SELECT channel, lost FROM losses")
        while try losses.step() {
            restoring.restoreLoss(of: try name(losses, 0), through: try number(losses, 1))
        }
        let messages = try Statement(
            database, "SELECT id, channel, data, kind, content_type, published, lost FROM messages ORDER BY id")
        var newest = Moment(nanoseconds: .min)
        while try messages.step() {
            let id = try number(messages, 0)
            guard id > 0, id <= lastNumber else { throw .damaged("message \(id) is behind the last number") }
            guard let kind = Message.Kind(stored: messages.integer(3)) else {
                throw .damaged("message \(id) is of an unknown kind")
            }
            let item = PublishItem(
                channel: try name(messages, 1), payload: messages.bytes(2), kind: kind,
                contentType: messages.isNull(4) ? nil : messages.bytes(4))
            newest = max(newest, moment(messages.integer(5)))
            restoring.restore(item, id: id, lostBefore: try number(messages, 6), publishedAt: newest)
        }
        let keys = try Statement(database, "SELECT id, key, published FROM keys ORDER BY id")
        while try keys.step() {
            restoring.restore(key: keys.bytes(1), id: try number(keys, 0), at: moment(keys.integer(2)))
        }
        let taken = try Statement(database, "SELECT channel, through FROM taken")
        while try taken.step() { restoring.restore(taken: try number(taken, 1), of: try name(taken, 0)) }
        return restoring
    }

    /// When something was, on this process' clock. A wall clock that has gone backwards makes nothing come from the
    /// future, and its age then counts from now on.
    private func moment(_ published: Int64) -> Moment {
        let age = max(0, wall.subtractingReportingOverflow(published).partialValue)
        return now + .nanoseconds(-age)
    }

    private func number(_ statement: Statement, _ column: Int32) throws(DatabaseError) -> UInt64 {
        guard let number = UInt64(exactly: statement.integer(column)) else { throw .damaged("a number below 0") }
        return number
    }

    private func name(_ statement: Statement, _ column: Int32) throws(DatabaseError) -> ChannelName {
        do throws(ChannelNameError) {
            return try ChannelName(statement.bytes(column).span)
        } catch {
            throw .damaged("a channel's name is none: \(error)")
        }
    }
}

extension DatabaseError {
    /// The file is a database, and what it says can't be.
    static func damaged(_ reason: String) -> DatabaseError {
        DatabaseError(action: "load", code: SQLITE_CORRUPT, message: reason)
    }
}

extension Message.Kind {
    /// As it stands in the file; these numbers stay.
    init?(stored: Int64) {
        switch stored {
        case 0: self = .json
        case 1: self = .text
        case 2: self = .binary
        default: return nil
        }
    }

    var stored: Int64 {
        switch self {
        case .json: 0
        case .text: 1
        case .binary: 2
        }
    }
}
