// SPDX-License-Identifier: PostgreSQL
/*
 * The cheapest PostgreSQL server and clients there can be, so that what stands between them is what is measured.
 * One thread each, epoll, no libpq.
 *
 *   connect_rate serve ADDRESS PORT             answers a startup packet AuthenticationOk, ParameterStatus and
 *                                               ReadyForQuery, and a query with an empty result, until it is ended
 *   connect_rate rate  ADDRESS PORT AT_ONCE SECONDS
 *                                               opens sessions and closes them, as many at once; prints
 *                                               "SESSIONS FAILURES SECONDS"
 *   connect_rate hold  ADDRESS PORT COUNT       opens sessions, asks each one question, prints "open COUNT FAILURES"
 *                                               and holds them until standard input ends; when the other side has
 *                                               closed all of them it prints "closed EPOCH_SECONDS"
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_FILES = 20000, EVENTS = 256, OPENING = 64, SOURCES = 16 };
enum { SSL_REQUEST = 80877103, GSS_REQUEST = 80877104 };

enum stage { UNUSED, CONNECTING, STARTING, ASKING, IDLE };

/* A connection of either role; the content of messages is skipped, only heads are kept. */
struct peer
{
    enum stage stage;
    unsigned have;          /* bytes of the head so far */
    uint32_t left;          /* bytes of the content still to come */
    unsigned char head[8];  /* length and code of a first packet, or type and length of a message */
};

static struct peer peers[MOST_FILES];
static int poller;

static const char ready[] = "Z\0\0\0\5I";
/* With one ParameterStatus: PgBouncer 1.18 crashes when a server tells none. */
static const char welcome[] = "R\0\0\0\10\0\0\0\0S\0\0\0\30server_version\0" "15.0\0Z\0\0\0\5I";
static const char answer[] = "C\0\0\0\15SELECT 0\0Z\0\0\0\5I";
static const char startup[] = "\0\0\0\51\0\3\0\0user\0postgres\0database\0postgres\0\0";
static const char question[] = "Q\0\0\0\15SELECT 1\0";
static const char goodbye[] = "X\0\0\0\4";

#define SAY(fd, text) (write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1)

static void fail(const char* what)
{
    perror(what);
    exit(1);
}

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t number_at(const unsigned char* p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void watch(int fd, uint32_t events, enum stage stage)
{
    struct epoll_event e = {.events = events, .data.fd = fd};
    if (fd >= MOST_FILES || epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e))
        fail("epoll_ctl");
    peers[fd] = (struct peer){.stage = stage};
}

static void end(int fd)
{
    peers[fd].stage = UNUSED;
    close(fd);
}

/* Feeds bytes to `on_message`, which is called with the head of each message, at its end; false ends the connection. */
static int feed(int fd, const unsigned char* p, size_t n, unsigned head, int (*on_message)(int fd, struct peer* peer))
{
    struct peer* peer = &peers[fd];
    while (n || (peer->have == head && !peer->left))
    {
        if (peer->have < head)
        {
            peer->head[peer->have++] = *p++;
            --n;
            if (peer->have == head)
                peer->left = head == 8 ? number_at(peer->head) - 8 : number_at(peer->head + 1) - 4;
            continue;
        }
        const size_t skipped = n < peer->left ? n : peer->left;
        p += skipped;
        n -= skipped;
        peer->left -= (uint32_t)skipped;
        if (peer->left)
            break;
        peer->have = 0;
        if (!on_message(fd, peer))
            return 0;
        /* Only the server's first packet has another form than what follows. */
        if (head == 8 && peer->stage == IDLE)
            head = 5;
    }
    return 1;
}

static int serve_message(int fd, struct peer* peer)
{
    if (peer->stage == STARTING)
    {
        const uint32_t code = number_at(peer->head + 4);
        if (code == SSL_REQUEST || code == GSS_REQUEST)
            return SAY(fd, "N");
        peer->stage = IDLE;
        return SAY(fd, welcome);
    }
    switch (peer->head[0])
    {
    case 'Q': return SAY(fd, answer);
    case 'S': return SAY(fd, ready);
    case 'X': return 0;
    default: return 1;
    }
}

static void serve(const struct sockaddr_in* place)
{
    static unsigned char buffer[65536];
    const int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (const struct sockaddr*)place, sizeof *place) || listen(listener, 4096))
        fail("listen");
    watch(listener, EPOLLIN, UNUSED);
    for (;;)
    {
        struct epoll_event events[EVENTS];
        const int count = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < count; ++i)
        {
            int fd = events[i].data.fd;
            if (fd == listener)
            {
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0)
                {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(fd, EPOLLIN, STARTING);
                }
                continue;
            }
            const ssize_t n = read(fd, buffer, sizeof buffer);
            if (n < 0 && errno == EAGAIN)
                continue;
            if (n <= 0 || !feed(fd, buffer, (size_t)n, peers[fd].stage == STARTING ? 8 : 5, serve_message))
                end(fd);
        }
    }
}

static struct
{
    struct sockaddr_in place;
    int hold;               /* sessions are kept */
    long wanted, started, done, failed, open;
} work;

/* From several addresses in turn, because the ports of one are few and stay taken for a while. */
static void start_one(void)
{
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)(work.started++ % SOURCES));
    setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr*)&from, sizeof from))
        fail("socket");
    if (connect(fd, (struct sockaddr*)&work.place, sizeof work.place) && errno != EINPROGRESS)
        fail("connect");
    watch(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, CONNECTING);
}

/* False when this connection has done its work. */
static int client_message(int fd, struct peer* peer)
{
    if (peer->head[0] == 'E' && peer->stage != IDLE)
        return 0;
    if (peer->head[0] != 'Z' || peer->stage == IDLE)
        return 1;
    if (work.hold && peer->stage == STARTING)
    {
        peer->stage = ASKING;
        return SAY(fd, question);
    }
    ++work.done;
    peer->stage = IDLE;
    if (work.hold)
        return ++work.open, 1;
    if (!SAY(fd, goodbye))
        --work.done;
    return 0;
}

/* False when the connection has ended, for good or ill. */
static int client_event(int fd, uint32_t events)
{
    unsigned char buffer[4096];
    struct peer* peer = &peers[fd];
    if (peer->stage == CONNECTING && events & (EPOLLOUT | EPOLLERR))
    {
        if (!SAY(fd, startup))
            return 0;
        peer->stage = STARTING;
    }
    if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        return 1;
    for (;;)
    {
        const ssize_t n = read(fd, buffer, sizeof buffer);
        if (n < 0 && errno == EAGAIN)
            return 1;
        if (n <= 0 || !feed(fd, buffer, (size_t)n, 5, client_message))
            return 0;
        if ((size_t)n < sizeof buffer && !(events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)))
            return 1;
    }
}

/* One turn of events; a session that ends makes room for the next one. */
static void turn(int timeout, long at_once)
{
    struct epoll_event events[EVENTS];
    while (work.started < work.wanted && work.started - work.done - work.failed < at_once)
        start_one();
    const int count = epoll_wait(poller, events, EVENTS, timeout);
    for (int i = 0; i < count; ++i)
    {
        const int fd = events[i].data.fd;
        if (fd == STDIN_FILENO)
            exit(0);
        const int held = peers[fd].stage == IDLE;
        if (client_event(fd, events[i].events))
            continue;
        if (held)
            --work.open;
        else if (peers[fd].stage != IDLE)
            ++work.failed;
        end(fd);
    }
}

static void rate(long at_once, double seconds)
{
    const double begin = now(CLOCK_MONOTONIC);
    work.wanted = 1L << 60;
    double past = 0;
    for (; past < seconds; past = now(CLOCK_MONOTONIC) - begin)
        turn(100, at_once);
    printf("%ld %ld %.6f\n", work.done, work.failed, past);
}

static void hold(long count)
{
    work.hold = 1;
    work.wanted = count;
    while (work.done + work.failed < count)
        turn(1000, OPENING);
    printf("open %ld %ld\n", work.open, work.failed);
    fflush(stdout);
    struct epoll_event input = {.events = EPOLLIN, .data.fd = STDIN_FILENO};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input))
        fail("standard input");
    for (int told = 0;;)
    {
        turn(-1, 0);
        if (!work.open && !told++)
        {
            printf("closed %.6f\n", now(CLOCK_REALTIME));
            fflush(stdout);
        }
    }
}

int main(int argc, char** argv)
{
    const struct rlimit files = {MOST_FILES, MOST_FILES};
    struct rlimit allowed;
    getrlimit(RLIMIT_NOFILE, &allowed);
    if (allowed.rlim_cur < MOST_FILES && setrlimit(RLIMIT_NOFILE, &files))
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){allowed.rlim_max, allowed.rlim_max});
    poller = epoll_create1(0);
    if (argc < 4)
        return 2;
    work.place = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3]))};
    if (inet_pton(AF_INET, argv[2], &work.place.sin_addr) != 1)
        return 2;
    if (!strcmp(argv[1], "serve") && argc == 4)
        serve(&work.place);
    else if (!strcmp(argv[1], "rate") && argc == 6)
        rate(atol(argv[4]), atof(argv[5]));
    else if (!strcmp(argv[1], "hold") && argc == 5)
        hold(atol(argv[4]));
    else
        return 2;
    return 0;
}
