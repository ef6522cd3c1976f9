/*
 * Epoll sets: items whose number is closed, or another file by now, or whose file only a child has;
 * a one-shot item that has fired; sets in sets.
 */
#include "test.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

static int set, nested, ready, ends[2], only[2];
static uint32_t *turn;

static void add(int to, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	must(epoll_ctl(to, EPOLL_CTL_ADD, fd, &e));
}

static uint64_t sum(int of)
{
	struct epoll_event e[16];
	int n = epoll_wait(of, e, 16, 0);
	uint64_t s = 0;

	for (int i = 0; i < n; i++)
		s += e[i].data.u64;
	return s;
}

static void child(void *arg)
{
	(void)arg;
	event_add(turn);
	checkpoint_wait();
	check(write(only[1], "x", 1) == 1);
	event_add(turn);
	event_wait(turn, 3);
}

int main(void)
{
	turn = shared_alloc(4096);
	set = must(epoll_create1(EPOLL_CLOEXEC));
	nested = must(epoll_create1(0));
	ready = must(eventfd(1, 0));
	must(pipe(ends));
	must(pipe(only));
	add(set, ends[1], EPOLLOUT | EPOLLONESHOT, 1000);
	must_true(sum(set) == 1000 && sum(set) == 0);
	add(set, ready, EPOLLIN, 1ULL << 40);
	must(dup2(ready, 100));
	add(set, 100, EPOLLIN, 2);
	must(close(100));
	must(dup2(ends[0], 101));
	add(set, 101, EPOLLIN, 4);
	must(dup2(ready, 101));
	add(set, only[0], EPOLLIN, 8);
	add(nested, set, EPOLLIN, 77);
	task_run(child, NULL);
	event_wait(turn, 1);
	must(close(only[0]));
	must(close(only[1]));
	checkpoint();
	event_wait(turn, 2);
	check(sum(set) == (1ULL << 40) + 2 + 8, "got %#lx", (unsigned long)sum(set));
	check(write(ends[1], "x", 1) == 1 && sum(set) == (1ULL << 40) + 2 + 4 + 8);
	check(sum(nested) == 77);
	check(!epoll_ctl(set, EPOLL_CTL_DEL, ready, NULL) && sum(set) == 2 + 4 + 8);
	event_add(turn);
	return test_end();
}
