/// How much memory the process has asked the C library for and not given back, whichever thread did.
import CLibevent

package enum AllocatedMemory {
    /// Not what is resident: memory that was given back may stay with the C library, and is free all the same. It looks
    /// through the free parts of each arena, so it is to be asked now and then.
    package static var bytes: Int {
        let figures = mallinfo2()
        return Int(clamping: figures.uordblks) + Int(clamping: figures.hblkhd)
    }
}
