/// The statements of a transaction, prepared once.
import Polling

final class StoreStatements {
    let begin: Statement
    let commit: Statement
    let rollback: Statement
    private let insertMessage: Statement
    private let insertKey: Statement
    private let noteLoss: Statement
    private let forgetLoss: Statement
    private let forgetTaken: Statement
    private let noteTaken: Statement
    private let forgottenThrough: Statement
    private let deleteMessage: Statement
    private let deleteKeys: Statement
    private let setReserved: Statement

    init(_ database: Database) throws(DatabaseError) {
        begin = try Statement(database, "BEGIN IMMEDIATE")
        commit = try Statement(database, "COMMIT")
        rollback = try Statement(database, "ROLLBACK")
        insertMessage = try Statement(
            database,
            "INSERT INTO messages (id, channel, data, kind, content_type, published, lost) VALUES (?, ?, ?, ?, ?, ?, ?)"
        )
        insertKey = try Statement(database, "INSERT INTO keys (id, key, published) VALUES (?, ?, ?)")
        noteLoss = try Statement(
            database,
            "INSERT INTO losses (channel, lost) VALUES (?, ?) ON CONFLICT DO UPDATE SET lost = max(lost, excluded.lost)"
        )
        forgetLoss = try Statement(database, "DELETE FROM losses WHERE channel = ?")
        forgetTaken = try Statement(database, "DELETE FROM taken WHERE channel = ?")
        noteTaken = try Statement(database, "INSERT OR REPLACE INTO taken (channel, through) VALUES (?, ?)")
        forgottenThrough = try Statement(database, "UPDATE pool SET forgotten = max(forgotten, ?)")
        deleteMessage = try Statement(database, "DELETE FROM messages WHERE id = ?")
        deleteKeys = try Statement(database, "DELETE FROM keys WHERE id <= ?")
        setReserved = try Statement(database, "UPDATE pool SET reserved = ?")
    }

    /// - Returns: rows that were written.
    func insert(_ step: PoolPlan.Step, wall: Int64) throws(DatabaseError) -> Int {
        switch step {
        case .message(let item, let id, let lostBefore):
            try insert(item, id: id, lostBefore: lostBefore, wall: wall)
            guard let key = item.key else { return 1 }
            try insert(key: key, id: id, wall: wall)
            return 2
        case .deletion(let name, let number):
            try note(number, of: name)
            return 1
        case .signal, .repeated, .giveBack: return 0
        }
    }

    /// Writes a part of a whole pool.
    ///
    /// - Parameter wall: when a moment was, in nanoseconds since 1970.
    func insert(_ part: PoolPart, wall: (Moment) -> Int64) throws(DatabaseError) {
        switch part {
        case .head: break
        case .loss(let name, let through): try note(through, of: name)
        case .message(let item, let id, let lostBefore, let publishedAt):
            try insert(item, id: id, lostBefore: lostBefore, wall: wall(publishedAt))
        case .key(let key, let id, let at): try insert(key: key, id: id, wall: wall(at))
        case .taken(let name, let through): try note(taken: through, of: name)
        }
    }

    /// A message without its key.
    private func insert(
        _ item: PublishItem, id: UInt64, lostBefore: UInt64, wall: Int64
    ) throws(DatabaseError) {
        try insertMessage.bind(Int64(clamping: id), at: 1)
        try insertMessage.bind(text: item.channel.bytes, at: 2)
        try insertMessage.bind(bytes: item.payload, at: 3)
        try insertMessage.bind(item.kind.stored, at: 4)
        if let contentType = item.contentType {
            try insertMessage.bind(bytes: contentType, at: 5)
        } else {
            try insertMessage.bindNull(at: 5)
        }
        try insertMessage.bind(wall, at: 6)
        try insertMessage.bind(Int64(clamping: lostBefore), at: 7)
        try insertMessage.run()
    }

    private func insert(key: [UInt8], id: UInt64, wall: Int64) throws(DatabaseError) {
        try insertKey.bind(Int64(clamping: id), at: 1)
        try insertKey.bind(bytes: key, at: 2)
        try insertKey.bind(wall, at: 3)
        try insertKey.run()
    }

    /// - Returns: rows that were touched.
    func remove(_ departures: Departures) throws(DatabaseError) -> Int {
        for id in departures.messages {
            try deleteMessage.bind(Int64(clamping: id), at: 1)
            try deleteMessage.run()
        }
        var isForgotten = false
        for (name, loss) in departures.losses {
            switch loss {
            case .through(let number): try note(number, of: name)
            case .forgotten:
                isForgotten = true
                try forgetLoss.bind(text: name.bytes, at: 1)
                try forgetLoss.run()
                try forgetTaken.bind(text: name.bytes, at: 1)
                try forgetTaken.run()
            }
        }
        for (name, through) in departures.taken { try note(taken: through, of: name) }
        if isForgotten {
            try forgottenThrough.bind(Int64(clamping: departures.forgottenThrough), at: 1)
            try forgottenThrough.run()
        }
        if departures.keysThrough > 0 {
            try deleteKeys.bind(Int64(clamping: departures.keysThrough), at: 1)
            try deleteKeys.run()
        }
        return departures.messages.count + departures.losses.count + departures.taken.count
    }

    func reserve(_ number: UInt64) throws(DatabaseError) {
        try setReserved.bind(Int64(clamping: number), at: 1)
        try setReserved.run()
    }

    private func note(taken through: UInt64, of name: ChannelName) throws(DatabaseError) {
        try noteTaken.bind(text: name.bytes, at: 1)
        try noteTaken.bind(Int64(clamping: through), at: 2)
        try noteTaken.run()
    }

    private func note(_ number: UInt64, of name: ChannelName) throws(DatabaseError) {
        try noteLoss.bind(text: name.bytes, at: 1)
        try noteLoss.bind(Int64(clamping: number), at: 2)
        try noteLoss.run()
    }
}
