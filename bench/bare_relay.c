// SPDX-License-Identifier: PostgreSQL
//
// The least that a relay can do: one epoll for each thread, one recv and one send for each piece.
// No checks, no time-outs, no back-pressure (a send waits until the receiver takes it). What it
// costs is the kernel's share.
//
//   bare_relay HOST PORT SERVER_HOST SERVER_PORT THREADS
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct leg
{
    int fd;
    int ended; // has sent FIN or broken
    struct leg* other;
    struct leg* next; // to be freed behind this turn
};

static struct sockaddr_in address(const char* host, const char* port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port))};
    if (inet_pton(AF_INET, host, &a.sin_addr) != 1)
        exit(2);
    return a;
}

// The pair goes when both have ended; events of this turn may still name it.
static void end(struct leg* l, struct leg** gone)
{
    shutdown(l->other->fd, SHUT_WR);
    l->ended = 1;
    if (!l->other->ended)
        return;
    close(l->fd);
    close(l->other->fd);
    l->next = l->other;
    l->other->next = *gone;
    *gone = l;
}

static void* run(void* epoll)
{
    static __thread char buffer[65536];
    struct epoll_event events[64];
    const int e = *(int*)epoll;
    for (;;)
    {
        struct leg* gone = NULL;
        const int n = epoll_wait(e, events, 64, -1);
        for (int i = 0; i < n; ++i)
        {
            struct leg* l = events[i].data.ptr;
            if (l->ended)
                continue;
            const ssize_t size = recv(l->fd, buffer, sizeof buffer, MSG_DONTWAIT);
            if (size > 0)
                send(l->other->fd, buffer, (size_t)size, MSG_NOSIGNAL);
            else
            {
                epoll_ctl(e, EPOLL_CTL_DEL, l->fd, NULL);
                end(l, &gone);
            }
        }
        while (gone)
        {
            struct leg* l = gone;
            gone = l->next;
            free(l);
        }
    }
    return NULL;
}

static struct leg* make_leg(int fd)
{
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct leg* l = calloc(1, sizeof *l);
    l->fd = fd;
    return l;
}

int main(int argc, char** argv)
{
    if (argc != 6)
        return 2;
    const struct sockaddr_in at = address(argv[1], argv[2]);
    const struct sockaddr_in server = address(argv[3], argv[4]);
    const int threads = atoi(argv[5]);
    int* epolls = calloc((size_t)threads, sizeof *epolls);
    const int door = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(door, (const struct sockaddr*)&at, sizeof at) || listen(door, 1024))
    {
        perror("listen");
        return 1;
    }
    for (int i = 0; i < threads; ++i)
    {
        pthread_t thread;
        epolls[i] = epoll_create1(0);
        pthread_create(&thread, NULL, run, &epolls[i]);
    }
    for (unsigned turn = 0;; ++turn)
    {
        const int c = accept(door, NULL, NULL);
        const int s = c < 0 ? -1 : socket(AF_INET, SOCK_STREAM, 0);
        if (s < 0 || connect(s, (const struct sockaddr*)&server, sizeof server))
        {
            close(c);
            close(s);
            continue;
        }
        struct leg* legs[] = {make_leg(c), make_leg(s)};
        for (int i = 0; i < 2; ++i)
            legs[i]->other = legs[1 - i];
        for (int i = 0; i < 2; ++i)
        {
            struct epoll_event e = {.events = EPOLLIN, .data.ptr = legs[i]};
            epoll_ctl(epolls[turn % (unsigned)threads], EPOLL_CTL_ADD, legs[i]->fd, &e);
        }
    }
}
