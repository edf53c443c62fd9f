// The limit that the kernel sets: a loop that does nothing but the system calls which long polling cannot do without.
//
//   bare-loop hold PORT SOCKET    A request is read up to its empty line and held; nothing of it is looked at. A line on
//                                 the Unix socket is published: it is sent as the body of one response to every held
//                                 connection, and answered with a line. An answered connection may send its next request.
//   bare-loop origin PORT         An app for proxies to stand in front of. GET /N answers N bytes. GET /hold answers as
//                                 Pushpin expects it of an app: an instruction to hold.
//
// One thread, one epoll instance, edge-triggered. It is measured beside the servers by pollhold-bench and trusts its
// peer: it belongs on no port that anybody else can reach.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_LIMIT = 1 << 21, EVENTS = 512 };

enum Kind { NOBODY, CLIENTS_DOOR, PUBLISHERS_DOOR, CLIENT, PUBLISHER };

// One a descriptor.
struct Connection {
    enum Kind kind;
    int isHeld;
    size_t sent; // of the answer under way; behind its end when nothing waits
    size_t size; // of that answer
    char *pending; // what is left to send of a response of the origin's
};

static struct Connection *connections;
static int *held; // descriptors that wait, in the order in which they came
static int heldCount;
static int epoll;
static int isOrigin;
static char *answer; // the one response that everybody gets
static size_t answerSize;
static char *line; // what has come of a publisher's line
static size_t lineSize;
static char buffer[65536];

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void watch(int fd, enum Kind kind, unsigned events) {
    connections[fd] = (struct Connection){.kind = kind};
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
}

static void forget(int fd) {
    connections[fd].kind = NOBODY;
    connections[fd].isHeld = 0;
    free(connections[fd].pending);
    connections[fd].pending = NULL;
    close(fd);
}

static void acceptAll(int door, enum Kind kind) {
    int fd;
    while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int on = 1;
        if (kind == CLIENT) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(fd, kind, EPOLLIN | EPOLLRDHUP | EPOLLET);
    }
}

// Writing is waited for only while something is left to write.
static void wantWriting(int fd, int wanted) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET | (wanted ? EPOLLOUT : 0), .data.fd = fd};
    epoll_ctl(epoll, EPOLL_CTL_MOD, fd, &event);
}

static void continueSending(int fd) {
    struct Connection *connection = &connections[fd];
    const char *bytes = connection->pending ? connection->pending : answer;
    while (connection->sent < connection->size) {
        ssize_t count = send(fd, bytes + connection->sent, connection->size - connection->sent, MSG_NOSIGNAL);
        if (count <= 0) return;
        connection->sent += (size_t)count;
    }
    free(connection->pending);
    connection->pending = NULL;
    connection->size = 0;
    wantWriting(fd, 0);
}

static void publish(int publisher, const char *body, size_t size) {
    free(answer);
    answer = malloc(size + 256);
    if (!answer) die("malloc");
    int head = sprintf(answer,
                       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                       "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n",
                       size);
    memcpy(answer + head, body, size);
    answerSize = (size_t)head + size;
    for (int i = 0; i < heldCount; i++) {
        int fd = held[i];
        if (!connections[fd].isHeld) continue; // it has gone
        connections[fd].isHeld = 0;
        ssize_t count = send(fd, answer, answerSize, MSG_NOSIGNAL);
        if (count >= 0 && (size_t)count == answerSize) continue;
        connections[fd].sent = count > 0 ? (size_t)count : 0;
        connections[fd].size = answerSize;
        wantWriting(fd, 1);
    }
    heldCount = 0;
    send(publisher, "ok\n", 3, MSG_NOSIGNAL);
}

static void readPublisher(int fd) {
    ssize_t count = recv(fd, line + lineSize, LINE_LIMIT - lineSize, 0);
    if (count <= 0) {
        lineSize = 0;
        forget(fd);
        return;
    }
    lineSize += (size_t)count;
    char *start = line, *end;
    while ((end = memchr(start, '\n', lineSize - (size_t)(start - line)))) {
        publish(fd, start, (size_t)(end - start));
        start = end + 1;
    }
    lineSize -= (size_t)(start - line);
    memmove(line, start, lineSize);
    if ((size_t)count == LINE_LIMIT) readPublisher(fd);
}

static void answerAsApp(int fd, const char *request) {
    char head[256];
    if (!strncmp(request, "GET /hold", 9)) {
        int size = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nGrip-Hold: response\r\n"
                                 "Grip-Channel: c0\r\nGrip-Timeout: 600\r\nContent-Length: 2\r\n\r\n{}");
        send(fd, head, (size_t)size, MSG_NOSIGNAL);
        return;
    }
    long body = strncmp(request, "GET /", 5) ? 0 : atol(request + 5);
    int size = sprintf(head, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %ld\r\n\r\n", body);
    char *bytes = malloc((size_t)(size + body));
    if (!bytes) die("malloc");
    memcpy(bytes, head, (size_t)size);
    memset(bytes + size, 'x', (size_t)body);
    ssize_t count = send(fd, bytes, (size_t)(size + body), MSG_NOSIGNAL);
    if (count == size + body) {
        free(bytes);
        return;
    }
    connections[fd].pending = bytes;
    connections[fd].sent = count > 0 ? (size_t)count : 0;
    connections[fd].size = (size_t)(size + body);
    wantWriting(fd, 1);
}

// A request is taken to come in one piece, as those of pollhold-bench do.
static void readClient(int fd) {
    ssize_t count = recv(fd, buffer, sizeof buffer - 1, 0);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return forget(fd);
    if (count < 4 || memcmp(buffer + count - 4, "\r\n\r\n", 4)) return;
    if (isOrigin) {
        buffer[count] = 0;
        answerAsApp(fd, buffer);
    } else if (!connections[fd].isHeld) {
        connections[fd].isHeld = 1;
        held[heldCount++] = fd;
    }
}

static int listenOnPort(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096)) die("listen");
    return fd;
}

static int listenOnPath(const char *path) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 64)) die("listen");
    return fd;
}

static void take(const struct epoll_event *event) {
    int fd = event->data.fd;
    switch (connections[fd].kind) {
    case NOBODY: return;
    case CLIENTS_DOOR: return acceptAll(fd, CLIENT);
    case PUBLISHERS_DOOR: return acceptAll(fd, PUBLISHER);
    case PUBLISHER: return readPublisher(fd);
    case CLIENT: break;
    }
    if (event->events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) return forget(fd);
    if (event->events & EPOLLOUT && connections[fd].size) continueSending(fd);
    if (event->events & EPOLLIN) readClient(fd);
}

int main(int count, char **arguments) {
    isOrigin = count == 3 && !strcmp(arguments[1], "origin");
    if (!isOrigin && !(count == 4 && !strcmp(arguments[1], "hold"))) {
        fprintf(stderr, "usage: bare-loop hold PORT SOCKET\n       bare-loop origin PORT\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    connections = calloc(limit.rlim_cur, sizeof *connections);
    held = calloc(limit.rlim_cur * 2, sizeof *held);
    line = malloc(LINE_LIMIT);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!connections || !held || !line || epoll < 0) die("start");
    watch(listenOnPort(atoi(arguments[2])), CLIENTS_DOOR, EPOLLIN);
    if (!isOrigin) watch(listenOnPath(arguments[3]), PUBLISHERS_DOOR, EPOLLIN);
    struct epoll_event events[EVENTS];
    while (1) {
        int ready = epoll_wait(epoll, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) take(&events[i]);
    }
}
