// A file system for SQLite that fails, tears writes and forgets what was not synced, as a test tells it to.
#ifndef FAULTY_DISK_H
#define FAULTY_DISK_H

// The name under which SQLite knows it.
#define FAULTY_DISK_NAME "faulty"

enum faulty_disk_fault {
    faulty_disk_none,
    // Writes fail with SQLITE_FULL, as with ENOSPC.
    faulty_disk_full,
    // Half of one write is done and it fails; later writes fail too.
    faulty_disk_bad_write,
    // fsync fails.
    faulty_disk_bad_sync,
    // The process is gone: half of one write is done, and nothing after it.
    faulty_disk_crash,
};

// Makes it known to SQLite; it stands in front of the operating system's. Returns an SQLite code.
int faulty_disk_register(void);

// After so many more writes and syncs the fault begins, and lasts until it is healed. Forgets all unsynced writes.
void faulty_disk_begin(enum faulty_disk_fault fault, long operations);
void faulty_disk_heal(void);

// The process is gone now: none of its writes is done any more, until the next `begin` or `heal`.
void faulty_disk_end_process(void);

// Writes and syncs since `begin`.
long faulty_disk_operations(void);

// What a power cut leaves of writes since the last sync of each file: of each all, nothing, or some sectors at its
// beginning. The files have to be closed, or be those of a process that is gone.
void faulty_disk_lose_power(unsigned seed);

#endif
