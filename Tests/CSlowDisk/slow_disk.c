#define _GNU_SOURCE
#include "slow_disk.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static void wait_if_slow(int file) {
    const char *switch_path = getenv("POLLHOLD_SLOW_DISK");
    const char *duration = getenv("POLLHOLD_SLOW_DISK_MICROSECONDS");
    struct stat status;
    if (!switch_path || !duration || fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) return;
    if (access(switch_path, F_OK) != 0) return;
    long microseconds = atol(duration);
    struct timespec pause = {microseconds / 1000000, microseconds % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) real = dlsym(RTLD_NEXT, "write");
    wait_if_slow(file);
    return real(file, bytes, count);
}

ssize_t pwrite(int file, const void *bytes, size_t count, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite");
    wait_if_slow(file);
    return real(file, bytes, count, offset);
}

ssize_t pwrite64(int file, const void *bytes, size_t count, off64_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off64_t);
    if (!real) real = dlsym(RTLD_NEXT, "pwrite64");
    wait_if_slow(file);
    return real(file, bytes, count, offset);
}

int fsync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fsync");
    wait_if_slow(file);
    return real(file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (!real) real = dlsym(RTLD_NEXT, "fdatasync");
    wait_if_slow(file);
    return real(file);
}
