// The only door to C. It opens libevent's raw events and the few system calls that Swift's Glibc module
// cannot name (variadic functions, macros with a cast).
#ifndef POLLHOLD_SHIM_H
#define POLLHOLD_SHIM_H

// These stand before libevent's headers for a reason: <event2/event.h> includes <sys/time.h>, and if that is the
// first system header seen inside this module, Swift's Glibc module and this one both define fd_set and the build
// dies with "redefinition of 'fd_set'".
#include <sys/types.h>
#include <sys/select.h>
#include <sys/time.h>
#include <sys/socket.h>
#include <sys/eventfd.h>

#include <event2/event.h>

#endif
