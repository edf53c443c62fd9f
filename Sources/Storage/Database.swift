/// One connection to a database file. Every result code is compared; a handle is closed when nobody has it any more.
///
/// A connection and its statements are used by one thread at a time.
import CSQLite

@safe final class Database {
    /// Closed by `deinit`; statements keep their connection, so they are gone by then.
    fileprivate let handle: OpaquePointer

    /// Opens a file for reading and writing.
    ///
    /// - Parameter system: a VFS by its name; nil: the operating system's.
    init(path: String, system: String?) throws(DatabaseError) {
        var opened: OpaquePointer?
        let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE
        let code = unsafe sqlite3_open_v2(path, &opened, flags, system)
        guard let handle = unsafe opened else { throw DatabaseError(action: "open", code: code, message: "no memory") }
        guard code == SQLITE_OK else {
            let error = unsafe DatabaseError(
                action: "open", code: code, message: String(cString: sqlite3_errmsg(handle)))
            unsafe sqlite3_close_v2(handle)
            throw error
        }
        unsafe self.handle = handle
    }

    deinit { unsafe sqlite3_close_v2(handle) }

    /// Runs statements that return nothing that is wanted.
    func execute(_ sql: StaticString) throws(DatabaseError) {
        try check(unsafe sqlite3_exec(handle, sql.description, nil, nil, nil), "\(sql)")
    }

    /// The first column of the first row; nil if there is no row.
    func integer(_ sql: StaticString) throws(DatabaseError) -> Int64? {
        let statement = try Statement(self, sql)
        return try statement.step() ? statement.integer(0) : nil
    }

    func text(_ sql: StaticString) throws(DatabaseError) -> String? {
        let statement = try Statement(self, sql)
        return try statement.step() ? String(decoding: statement.bytes(0), as: UTF8.self) : nil
    }

    /// Whether a transaction is open: some errors end one by themselves.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    fileprivate func check(_ code: Int32, _ action: @autoclosure () -> String) throws(DatabaseError) {
        guard code != SQLITE_OK else { return }
        throw unsafe DatabaseError(action: action(), code: code, message: String(cString: sqlite3_errmsg(handle)))
    }
}

/// A prepared statement of a connection, used again and again.
@safe final class Statement {
    private let database: Database
    private let handle: OpaquePointer
    private let sql: StaticString

    init(_ database: Database, _ sql: StaticString) throws(DatabaseError) {
        var prepared: OpaquePointer?
        let flags = UInt32(SQLITE_PREPARE_PERSISTENT)
        let code = unsafe sqlite3_prepare_v3(database.handle, sql.description, -1, flags, &prepared, nil)
        try database.check(code, "\(sql)")
        guard let handle = unsafe prepared else {
            throw DatabaseError(action: "\(sql)", code: SQLITE_MISUSE, message: "there is no statement")
        }
        self.database = database
        self.sql = sql
        unsafe self.handle = handle
    }

    deinit { unsafe _ = sqlite3_finalize(handle) }

    // MARK: Parameters, counted from 1

    func bind(_ value: Int64, at index: Int32) throws(DatabaseError) {
        try check(unsafe sqlite3_bind_int64(handle, index, value))
    }

    func bind(text: [UInt8], at index: Int32) throws(DatabaseError) {
        try check(
            unsafe text.withUnsafeBytes {
                unsafe sqlite_shim_bind_text(handle, index, $0.baseAddress, Int32(clamping: $0.count))
            })
    }

    func bind(bytes: [UInt8], at index: Int32) throws(DatabaseError) {
        try check(
            unsafe bytes.withUnsafeBytes {
                unsafe sqlite_shim_bind_blob(handle, index, $0.baseAddress, Int32(clamping: $0.count))
            })
    }

    func bindNull(at index: Int32) throws(DatabaseError) {
        try check(unsafe sqlite3_bind_null(handle, index))
    }

    // MARK: Running

    /// - Returns: whether there is a row to look at.
    func step() throws(DatabaseError) -> Bool {
        let code = unsafe sqlite3_step(handle)
        switch code {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        default:
            do throws(DatabaseError) {
                try check(code)
            } catch {
                unsafe _ = sqlite3_reset(handle)
                throw error
            }
            return false
        }
    }

    /// Runs a statement that returns no rows and makes it ready for the next time.
    func run() throws(DatabaseError) {
        _ = try step()
        // Its code is that of the step, which has been looked at.
        unsafe _ = sqlite3_reset(handle)
    }

    // MARK: The row's columns, counted from 0

    func integer(_ column: Int32) -> Int64 { unsafe sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { unsafe sqlite3_column_type(handle, column) == SQLITE_NULL }

    /// Of a text or a blob.
    func bytes(_ column: Int32) -> [UInt8] {
        // The pointer first: asking for it may change what the count is.
        guard let start = unsafe sqlite3_column_blob(handle, column) else { return [] }
        let count = unsafe sqlite3_column_bytes(handle, column)
        return unsafe Array(UnsafeRawBufferPointer(start: start, count: Int(count)))
    }

    private func check(_ code: Int32) throws(DatabaseError) { try database.check(code, "\(sql)") }
}
