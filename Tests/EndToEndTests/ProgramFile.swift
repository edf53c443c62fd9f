/// Programs that a test puts somewhere. A child writes them: a process that another test is just starting has inherited
/// what this one has open for writing, and until it has become its program, no such file can be run (ETXTBSY).
enum ProgramFile {
    /// A copy of the program that was built with this test.
    static func copy(to path: String) throws {
        try check(Command.run([PollholdProcess.binary, path], program: "/bin/cp"))
    }

    /// A script in the place of what stands there, if anything does, in one step.
    static func write(_ script: String, to path: String) throws {
        let writing = "printf %s \"$1\" > \"$2.new\" && chmod 755 \"$2.new\" && mv \"$2.new\" \"$2\""
        try check(Command.run(["-c", writing, "sh", script, path], program: "/bin/sh"))
    }

    private static func check(_ command: Command) throws {
        guard command.status == 0 else { throw TestFailure("a program can't be put in place: \(command.errors)") }
    }
}
