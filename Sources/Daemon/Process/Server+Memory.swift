/// The look at the process' memory, ten times a second where the configuration limits it.
import ConfigFile
import Gateway
import Logging
import Reactor

extension Server {
    /// Nanoseconds between two looks: at a gigabit a second some 12 MiB come in meanwhile.
    private static let pause: Int64 = 100_000_000

    func lookAtMemory() {
        let limit = configuration.limits.memoryBytes
        var memory = door.memory
        // Without a limit nothing is measured: it takes the locks of all arenas.
        let hasTurned = memory.measured(limit == nil ? 0 : AllocatedMemory.bytes, limit: limit)
        door.memory = memory
        if hasTurned, memory.isShort {
            log.error("limits.memory is reached: requests are refused", metadata: ["bytes": "\(memory.bytes)"])
        } else if hasTurned {
            log.warning("there is memory again", metadata: ["bytes": "\(memory.bytes)"])
        }
        if memory.isShort { hub.tellAll(.makeRoom) }
        memoryTimer?.set(loop.now + (limit == nil ? 10 * Self.pause : Self.pause))
    }
}
