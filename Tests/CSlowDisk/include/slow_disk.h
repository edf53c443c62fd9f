// A library that is loaded in front of the C library (LD_PRELOAD) and makes a program's disk slow: as long as the file
// that POLLHOLD_SLOW_DISK names is there, each write and each sync of a regular file takes POLLHOLD_SLOW_DISK_MICROSECONDS.
// It has nothing to be called.
