// Each file is wrapped: what SQLite asks for goes to the operating system's VFS, counted, and refused when it is time.
// Writes since the last sync are kept with what stood there before, so that a power cut can take them back.
// One thread at a time uses this.
#include "faulty_disk.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    sqlite3_file base;
    const char *path;
    sqlite3_file *real;
} wrapped_file;

// One write or truncation that is not on the disk yet.
typedef struct unsynced {
    struct unsynced *next, *previous;
    char *path;
    sqlite3_int64 offset, size_before;
    // Bytes that were there, of which some may be behind the old end; NULL new_bytes: a truncation to `offset`.
    int count, old_count;
    char *old_bytes, *new_bytes;
} unsynced;

static sqlite3_vfs *below;
static enum faulty_disk_fault fault;
static long operations, begins_at;
static int is_gone;
static unsynced *oldest, *newest;

static int is_time(void) { return fault != faulty_disk_none && operations > begins_at; }

static void forget(unsynced *entry) {
    if (entry->previous) entry->previous->next = entry->next; else oldest = entry->next;
    if (entry->next) entry->next->previous = entry->previous; else newest = entry->previous;
    free(entry->path);
    free(entry->old_bytes);
    free(entry->new_bytes);
    free(entry);
}

static void forget_all(const char *path) {
    for (unsynced *entry = oldest, *next; entry; entry = next) {
        next = entry->next;
        if (!path || strcmp(entry->path, path) == 0) forget(entry);
    }
}

static void remember(wrapped_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    unsynced *entry = calloc(1, sizeof *entry);
    file->real->pMethods->xFileSize(file->real, &entry->size_before);
    entry->path = strdup(file->path);
    entry->offset = offset;
    sqlite3_int64 behind = entry->size_before - offset;
    entry->old_count = bytes ? (behind < 0 ? 0 : behind < count ? (int)behind : count) : (behind < 0 ? 0 : (int)behind);
    entry->old_bytes = malloc(entry->old_count + 1);
    if (entry->old_count > 0) file->real->pMethods->xRead(file->real, entry->old_bytes, entry->old_count, offset);
    if (bytes) {
        entry->count = count;
        entry->new_bytes = malloc(count + 1);
        memcpy(entry->new_bytes, bytes, count);
    }
    entry->previous = newest;
    if (newest) newest->next = entry; else oldest = entry;
    newest = entry;
}

static int file_close(sqlite3_file *base) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods ? file->real->pMethods->xClose(file->real) : SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *bytes, int count, sqlite3_int64 offset) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xRead(file->real, bytes, count, offset);
}

static int file_write(sqlite3_file *base, const void *bytes, int count, sqlite3_int64 offset) {
    wrapped_file *file = (wrapped_file *)base;
    if (is_gone) return SQLITE_IOERR_WRITE;
    operations++;
    if (is_time()) {
        switch (fault) {
        case faulty_disk_full: return SQLITE_FULL;
        case faulty_disk_crash: is_gone = 1; // and its first half is still written
        case faulty_disk_bad_write:
            remember(file, bytes, count / 2, offset);
            file->real->pMethods->xWrite(file->real, bytes, count / 2, offset);
            return SQLITE_IOERR_WRITE;
        default: break;
        }
    }
    remember(file, bytes, count, offset);
    return file->real->pMethods->xWrite(file->real, bytes, count, offset);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    wrapped_file *file = (wrapped_file *)base;
    if (is_gone) return SQLITE_IOERR_TRUNCATE;
    remember(file, NULL, 0, size);
    return file->real->pMethods->xTruncate(file->real, size);
}

static int file_sync(sqlite3_file *base, int flags) {
    wrapped_file *file = (wrapped_file *)base;
    if (is_gone) return SQLITE_IOERR_FSYNC;
    operations++;
    if (is_time() && fault == faulty_disk_bad_sync) return SQLITE_IOERR_FSYNC;
    if (is_time() && fault == faulty_disk_crash) {
        is_gone = 1;
        return SQLITE_IOERR_FSYNC;
    }
    // The system's own sync is left out: what was written is in its cache, which nobody takes away here.
    (void)flags;
    forget_all(file->path);
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xFileSize(file->real, size);
}

static int file_lock(sqlite3_file *base, int level) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xLock(file->real, level);
}

static int file_unlock(sqlite3_file *base, int level) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xUnlock(file->real, level);
}

static int file_check_lock(sqlite3_file *base, int *result) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xCheckReservedLock(file->real, result);
}

static int file_control(sqlite3_file *base, int operation, void *argument) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xFileControl(file->real, operation, argument);
}

static int file_sector_size(sqlite3_file *base) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xSectorSize(file->real);
}

static int file_characteristics(sqlite3_file *base) {
    wrapped_file *file = (wrapped_file *)base;
    return file->real->pMethods->xDeviceCharacteristics(file->real);
}

// Version 1: without shared memory, which a log in exclusive mode does not need.
static const sqlite3_io_methods methods = {
    1, file_close, file_read, file_write, file_truncate, file_sync, file_size, file_lock, file_unlock,
    file_check_lock, file_control, file_sector_size, file_characteristics,
};

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *result) {
    (void)vfs;
    wrapped_file *file = (wrapped_file *)base;
    file->real = (sqlite3_file *)(file + 1);
    file->path = path;
    int code = below->xOpen(below, path, file->real, flags, result);
    base->pMethods = code == SQLITE_OK ? &methods : NULL;
    return code;
}

static int disk_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    (void)vfs;
    if (is_gone) return SQLITE_IOERR_DELETE;
    forget_all(path);
    return below->xDelete(below, path, sync);
}

static int disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *result) {
    (void)vfs;
    return below->xAccess(below, path, flags, result);
}

static int disk_full_path(sqlite3_vfs *vfs, const char *path, int count, char *result) {
    (void)vfs;
    return below->xFullPathname(below, path, count, result);
}

static int disk_randomness(sqlite3_vfs *vfs, int count, char *bytes) {
    (void)vfs;
    return below->xRandomness(below, count, bytes);
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    return below->xSleep(below, microseconds);
}

static int disk_time(sqlite3_vfs *vfs, double *time) {
    (void)vfs;
    return below->xCurrentTime(below, time);
}

static int disk_last_error(sqlite3_vfs *vfs, int count, char *text) {
    (void)vfs;
    return below->xGetLastError ? below->xGetLastError(below, count, text) : 0;
}

static sqlite3_vfs disk = {
    .iVersion = 1,
    .zName = FAULTY_DISK_NAME,
    .xOpen = disk_open,
    .xDelete = disk_delete,
    .xAccess = disk_access,
    .xFullPathname = disk_full_path,
    .xRandomness = disk_randomness,
    .xSleep = disk_sleep,
    .xCurrentTime = disk_time,
    .xGetLastError = disk_last_error,
};

int faulty_disk_register(void) {
    if (below) return SQLITE_OK;
    below = sqlite3_vfs_find(NULL);
    disk.szOsFile = (int)sizeof(wrapped_file) + below->szOsFile;
    disk.mxPathname = below->mxPathname;
    return sqlite3_vfs_register(&disk, 0);
}

void faulty_disk_begin(enum faulty_disk_fault kind, long after) {
    forget_all(NULL);
    fault = kind;
    begins_at = after;
    operations = 0;
    is_gone = 0;
}

void faulty_disk_heal(void) {
    fault = faulty_disk_none;
    is_gone = 0;
}

void faulty_disk_end_process(void) { is_gone = 1; }

long faulty_disk_operations(void) { return operations; }

static void restore(const unsynced *entry, int descriptor) {
    if (entry->old_count > 0 && pwrite(descriptor, entry->old_bytes, entry->old_count, entry->offset) < 0) abort();
    if (ftruncate(descriptor, entry->size_before) != 0) abort();
}

static void do_again(const unsynced *entry, int descriptor, unsigned *seed) {
    int dice = rand_r(seed) % 4;
    if (dice == 0) return;
    if (!entry->new_bytes) {
        if (ftruncate(descriptor, entry->offset) != 0) abort();
        return;
    }
    int count = entry->count;
    if (dice == 1) count = count / 512 > 0 ? rand_r(seed) % (count / 512 + 1) * 512 : count;
    if (pwrite(descriptor, entry->new_bytes, count, entry->offset) < 0) abort();
}

void faulty_disk_lose_power(unsigned seed) {
    for (unsynced *entry = newest; entry; entry = entry->previous) {
        int descriptor = open(entry->path, O_RDWR);
        if (descriptor < 0) continue;
        restore(entry, descriptor);
        close(descriptor);
    }
    for (unsynced *entry = oldest; entry; entry = entry->next) {
        int descriptor = open(entry->path, O_RDWR);
        if (descriptor < 0) continue;
        do_again(entry, descriptor, &seed);
        close(descriptor);
    }
    forget_all(NULL);
}
