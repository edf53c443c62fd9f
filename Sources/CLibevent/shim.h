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

// Descriptors travel beside bytes in control messages (unix(7)), which are built and read by macros alone.
#include <string.h>

// Bytes, and room for one descriptor beside them.
struct shim_message {
    struct msghdr head;
    struct iovec part;
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr alignment;
    } room;
};

static inline void shim_prepare(struct shim_message *message, void *bytes, size_t count) {
    memset(message, 0, sizeof *message);
    message->part.iov_base = bytes;
    message->part.iov_len = count;
    message->head.msg_iov = &message->part;
    message->head.msg_iovlen = 1;
    message->head.msg_control = message->room.bytes;
    message->head.msg_controllen = sizeof message->room.bytes;
}

// Sends bytes with a descriptor, or without one where it is below zero. As sendmsg(2).
static inline ssize_t shim_send_with_descriptor(int number, const void *bytes, size_t count, int descriptor) {
    struct shim_message message;
    shim_prepare(&message, (void *)bytes, count);
    if (descriptor >= 0) {
        struct cmsghdr *right = CMSG_FIRSTHDR(&message.head);
        right->cmsg_level = SOL_SOCKET;
        right->cmsg_type = SCM_RIGHTS;
        right->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(right), &descriptor, sizeof(int));
    } else {
        message.head.msg_control = NULL;
        message.head.msg_controllen = 0;
    }
    return sendmsg(number, &message.head, MSG_NOSIGNAL);
}

// Receives bytes and the descriptor that came beside them: -1 if none did, -2 if the process may have no further one. As
// recvmsg(2).
static inline ssize_t shim_receive_with_descriptor(
    int number, void *bytes, size_t count, int flags, int *descriptor) {
    struct shim_message message;
    shim_prepare(&message, bytes, count);
    *descriptor = -1;
    ssize_t received = recvmsg(number, &message.head, flags | MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    for (struct cmsghdr *right = CMSG_FIRSTHDR(&message.head); right; right = CMSG_NXTHDR(&message.head, right)) {
        if (right->cmsg_level == SOL_SOCKET && right->cmsg_type == SCM_RIGHTS) {
            memcpy(descriptor, CMSG_DATA(right), sizeof(int));
        }
    }
    if (message.head.msg_flags & MSG_CTRUNC) *descriptor = -2;
    return received;
}

#endif
