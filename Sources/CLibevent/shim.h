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
// Names are resolved by evdns, the one part of libevent_extra that is used.
#include <event2/dns.h>
#include <event2/util.h>

// glibc shows these two only under _GNU_SOURCE, which Swift's Glibc module is built without. They are declared here
// with the types of their manual pages: accept4(2), pthread_setname_np(3).
#include <malloc.h>
#include <pthread.h>
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);
extern int pthread_setname_np(pthread_t thread, const char *name);

#endif
