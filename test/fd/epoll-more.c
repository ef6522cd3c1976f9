/*
 * Sets of descriptors: a number that was closed while the file lives on, one that another file has
 * by now, one number twice, a file that only another task has, a one-shot that is spent and whose
 * other end hangs up, sets in sets three deep, exclusive and edge-triggered entries.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static int set, at[2], reused[2], shot[2], moved[2], foreign[2], inner[3], event_fd;
static uint32_t *turn;

static void add(int ep, int fd, uint32_t events, uint64_t data)
{
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd,
		       &(struct epoll_event){.events = events, .data.u64 = data}));
}

/* Whether the set reports this data, and with which events. */
static uint32_t reported(int ep, uint64_t data)
{
	struct epoll_event e[16];
	int n = epoll_wait(ep, e, 16, 0);

	for (int i = 0; i < n; i++)
		if (e[i].data.u64 == data)
			return e[i].events;
	return 0;
}

static void child(void *arg)
{
	must(close(set));
	event_add(turn);
	checkpoint_wait();
	check(write(foreign[1], "x", 1) == 1);
	event_add(turn);
	event_wait(turn, 3);
	(void)arg;
}

static void build(void)
{
	set = must(epoll_create1(EPOLL_CLOEXEC));
	must(pipe(at) | pipe(reused) | pipe(moved) | pipe(foreign));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, shot));
	add(set, at[0], EPOLLIN, 1);
	add(set, reused[0], EPOLLIN | EPOLLRDHUP, 0x123456789abcdef0);
	must(fcntl(reused[0], F_DUPFD, 100));
	must_true(dup2(at[0], reused[0]) == reused[0]);
	add(set, reused[0], EPOLLIN | EPOLLEXCLUSIVE, 3);
	add(set, moved[0], EPOLLIN, 4);
	must_true(dup2(moved[0], 90) == 90 && !close(moved[0]));
	add(set, foreign[0], EPOLLIN, 5);
	add(set, shot[0], EPOLLIN | EPOLLONESHOT, 6);
	must_true(write(shot[1], "x", 1) == 1 && reported(set, 6) == EPOLLIN);
	must(close(shot[1]));
}

static void build_inner(void)
{
	event_fd = must(eventfd(0, EFD_NONBLOCK));
	for (int i = 0; i < 3; i++)
		inner[i] = must(epoll_create1(0));
	add(inner[2], event_fd, EPOLLIN | EPOLLET, 9);
	add(inner[1], inner[2], EPOLLIN, 8);
	add(inner[0], inner[1], EPOLLIN, 7);
}

int main(void)
{
	turn = shared_alloc(4096);
	build();
	build_inner();
	task_run(child, NULL);
	event_wait(turn, 1);
	must(close(foreign[0]) | close(foreign[1]));
	checkpoint();
	event_wait(turn, 2);
	check(reported(set, 5) == EPOLLIN, "the other task's file");
	check(!reported(set, 6), "the spent one-shot fires");
	check(!reported(set, 4) && write(moved[1], "x", 1) == 1 && reported(set, 4) == EPOLLIN);
	check(!reported(set, 0x123456789abcdef0) && write(reused[1], "x", 1) == 1);
	check(reported(set, 0x123456789abcdef0) == EPOLLIN);
	check(write(at[1], "x", 1) == 1 && reported(set, 1) == EPOLLIN &&
	      reported(set, 3) == EPOLLIN);
	check(!epoll_ctl(set, EPOLL_CTL_MOD, shot[0], &(struct epoll_event){.events = EPOLLIN}));
	check(reported(set, 0) & EPOLLHUP);
	/* The number stands for the new file only. */
	check(!epoll_ctl(set, EPOLL_CTL_DEL, reused[0], NULL) && !reported(set, 3));
	check(reported(set, 0x123456789abcdef0) == EPOLLIN);
	check(!reported(inner[0], 7) && eventfd_write(event_fd, 1) == 0 &&
	      reported(inner[0], 7) == EPOLLIN && reported(inner[2], 9) == EPOLLIN);
	event_add(turn);
	return test_end();
}
