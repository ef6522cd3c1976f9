/*
 * One thread asleep in each system call that the kernel interrupts in its own way (restart, restart
 * without handler, restart block, plain EINTR). No call may return before the thing it waits for
 * was made to happen after the checkpoint: an EINTR because of the stop is a failure. Timeouts are
 * long; sleeps end by a signal sent on purpose.
 */
/* harness: timeouts */
#include "test.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>

enum { LONG_S = 5000, WAKE_SIGNAL = SIGUSR1 };

struct wait {
	const char *name;
	long (*sleep)(struct wait *);
	void (*wake)(struct wait *);
	long expect; /* the result, or -errno */
	int fd[2];
	uint32_t word;
	pid_t tid;
	bool woken;
};

static const struct timespec long_time = {LONG_S, 0};

/* --- how the waits end --- */
static void by_byte(struct wait *w)
{
	check(write(w->fd[1], "12345678", 8) == 8, "%s", w->name);
}
static void by_signal(struct wait *w)
{
	check(!tgkill(getpid(), w->tid, WAKE_SIGNAL), "%s", w->name);
}
static void by_rt_signal(struct wait *w)
{
	check(!tgkill(getpid(), w->tid, 50), "%s", w->name);
}

static void by_futex(struct wait *w)
{
	__atomic_store_n(&w->word, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &w->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void by_unlock(struct wait *w)
{
	check(!flock(w->fd[1], LOCK_UN), "%s", w->name);
}
static void by_message(struct wait *w)
{
	check(!msgsnd(w->fd[0], &(long[2]){1, 2}, 8, 0), "%s", w->name);
}
static void by_semaphore(struct wait *w)
{
	check(!semop(w->fd[0], &(struct sembuf){0, 1, 0}, 1), "%s", w->name);
}
static void by_fifo(struct wait *w)
{
	w->fd[1] = open("fifo", O_WRONLY);
	check(w->fd[1] >= 0);
}

/* --- the waits --- */
static void make_pipe(struct wait *w)
{
	must(pipe2(w->fd, O_CLOEXEC));
}
static void make_pair(struct wait *w)
{
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, w->fd));
}
static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}
static char sink[64];

static long do_read(struct wait *w)
{
	make_pipe(w);
	return result(read(w->fd[0], sink, 8));
}
static long do_readv(struct wait *w)
{
	make_pipe(w);
	return result(syscall(SYS_readv, w->fd[0], &(struct {
				      void *p;
				      long n;
			      }){sink, 8},
			      1));
}
static long do_eventfd(struct wait *w)
{
	w->fd[0] = w->fd[1] = eventfd(0, 0);
	return result(read(w->fd[0], sink, 8));
}
static long do_recv(struct wait *w)
{
	make_pair(w);
	return result(recv(w->fd[0], sink, 8, 0));
}

static long do_recv_timeout(struct wait *w)
{
	struct timeval tv = {LONG_S, 0};

	make_pair(w);
	must(setsockopt(w->fd[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)));
	return result(recv(w->fd[0], sink, 8, 0));
}

static long futex(struct wait *w, int op, const struct timespec *t, uint32_t bits)
{
	return result(syscall(SYS_futex, &w->word, op, 0, t, NULL, bits));
}

static long do_futex(struct wait *w)
{
	return futex(w, FUTEX_WAIT, NULL, 0);
}
static long do_futex_timeout(struct wait *w)
{
	return futex(w, FUTEX_WAIT, &long_time, 0);
}

static struct timespec later(clockid_t clock)
{
	struct timespec t;

	must(clock_gettime(clock, &t));
	t.tv_sec += LONG_S;
	return t;
}

static long do_futex_absolute(struct wait *w)
{
	struct timespec t = later(CLOCK_MONOTONIC);

	return futex(w, FUTEX_WAIT_BITSET, &t, ~0u);
}

static long do_nanosleep(struct wait *w)
{
	struct timespec left = {0, 0};
	long r = result(nanosleep(&long_time, &left));

	check(left.tv_sec > 0 && left.tv_sec < LONG_S, "%s: %ld s left", w->name, left.tv_sec);
	return r;
}

static long do_clock_nanosleep(struct wait *w)
{
	struct timespec left = {0, 0};
	long r = -clock_nanosleep(CLOCK_MONOTONIC, 0, &long_time, &left);

	check(left.tv_sec > 0 && left.tv_sec < LONG_S, "%s: %ld s left", w->name, left.tv_sec);
	return r;
}

static long do_clock_nanosleep_absolute(struct wait *w)
{
	struct timespec t = later(CLOCK_REALTIME);

	(void)w;
	return -clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
}

static long poll_fd(struct wait *w, int timeout_ms)
{
	make_pipe(w);
	return result(poll(&(struct pollfd){w->fd[0], POLLIN, 0}, 1, timeout_ms));
}

static long do_poll(struct wait *w)
{
	return poll_fd(w, -1);
}
static long do_poll_timeout(struct wait *w)
{
	return poll_fd(w, LONG_S * 1000);
}

static long do_ppoll(struct wait *w)
{
	make_pipe(w);
	return result(ppoll(&(struct pollfd){w->fd[0], POLLIN, 0}, 1, &long_time, NULL));
}

static long do_select(struct wait *w)
{
	struct timeval tv = {LONG_S, 0};
	fd_set set;

	make_pipe(w);
	FD_ZERO(&set);
	FD_SET(w->fd[0], &set);
	return result(select(w->fd[0] + 1, &set, NULL, NULL, &tv));
}

static int make_epoll(struct wait *w)
{
	int ep = must(epoll_create1(0));

	make_pipe(w);
	must(epoll_ctl(ep, EPOLL_CTL_ADD, w->fd[0], &(struct epoll_event){.events = EPOLLIN}));
	return ep;
}

static long do_epoll(struct wait *w)
{
	return result(epoll_wait(make_epoll(w), &(struct epoll_event){0}, 1, -1));
}

static long do_epoll_timeout(struct wait *w)
{
	return result(epoll_wait(make_epoll(w), &(struct epoll_event){0}, 1, LONG_S * 1000));
}

static long do_epoll_pwait2(struct wait *w)
{
	return result(syscall(SYS_epoll_pwait2, make_epoll(w), &(struct epoll_event){0}, 1,
			      &long_time, NULL, 8));
}

static long wait_signal(const struct timespec *timeout)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, 50);
	return result(sigtimedwait(&set, NULL, timeout));
}

static long do_sigwaitinfo(struct wait *w)
{
	(void)w;
	return wait_signal(NULL);
}
static long do_sigtimedwait(struct wait *w)
{
	(void)w;
	return wait_signal(&long_time);
}
static long do_pause(struct wait *w)
{
	(void)w;
	return result(pause());
}

static long do_sigsuspend(struct wait *w)
{
	uint64_t all_but_wake = ~(1ull << (WAKE_SIGNAL - 1));

	(void)w;
	return result(syscall(SYS_rt_sigsuspend, &all_but_wake, 8));
}

static long do_semop(struct wait *w)
{
	w->fd[0] = must(semget(IPC_PRIVATE, 1, 0600));
	return result(semop(w->fd[0], &(struct sembuf){0, -1, 0}, 1));
}

static long do_semtimedop(struct wait *w)
{
	w->fd[0] = must(semget(IPC_PRIVATE, 1, 0600));
	return result(semtimedop(w->fd[0], &(struct sembuf){0, -1, 0}, 1, &long_time));
}

static long do_msgrcv(struct wait *w)
{
	w->fd[0] = must(msgget(IPC_PRIVATE, 0600));
	return result(msgrcv(w->fd[0], sink, 8, 0, 0));
}

static long do_flock(struct wait *w)
{
	w->fd[1] = must(open("flocked", O_CREAT | O_RDWR, 0600));
	must(flock(w->fd[1], LOCK_EX));
	return result(flock(must(open("flocked", O_RDWR)), LOCK_EX));
}

static long do_fifo(struct wait *w)
{
	must(mkfifo("fifo", 0600));
	w->fd[0] = open("fifo", O_RDONLY);
	return w->fd[0] >= 0 ? 0 : -errno;
}

static long do_splice(struct wait *w)
{
	int out[2];

	make_pipe(w);
	must(pipe(out));
	return result(splice(w->fd[0], NULL, out[1], NULL, 8, 0));
}

static struct wait waits[] = {
	{.name = "read", .sleep = do_read, .wake = by_byte, .expect = 8},
	{.name = "readv", .sleep = do_readv, .wake = by_byte, .expect = 8},
	{.name = "eventfd", .sleep = do_eventfd, .wake = by_byte, .expect = 8},
	{.name = "recv", .sleep = do_recv, .wake = by_byte, .expect = 8},
	{.name = "recv with timeout", .sleep = do_recv_timeout, .wake = by_byte, .expect = 8},
	{.name = "futex", .sleep = do_futex, .wake = by_futex, .expect = 0},
	{.name = "futex with timeout", .sleep = do_futex_timeout, .wake = by_futex, .expect = 0},
	{.name = "futex with end", .sleep = do_futex_absolute, .wake = by_futex, .expect = 0},
	{.name = "nanosleep", .sleep = do_nanosleep, .wake = by_signal, .expect = -EINTR},
	{.name = "clock_nanosleep",
	 .sleep = do_clock_nanosleep,
	 .wake = by_signal,
	 .expect = -EINTR},
	{.name = "clock_nanosleep with end",
	 .sleep = do_clock_nanosleep_absolute,
	 .wake = by_signal,
	 .expect = -EINTR},
	{.name = "poll", .sleep = do_poll, .wake = by_byte, .expect = 1},
	{.name = "poll with timeout", .sleep = do_poll_timeout, .wake = by_byte, .expect = 1},
	{.name = "ppoll", .sleep = do_ppoll, .wake = by_byte, .expect = 1},
	{.name = "select", .sleep = do_select, .wake = by_byte, .expect = 1},
	{.name = "epoll_wait", .sleep = do_epoll, .wake = by_byte, .expect = 1},
	{.name = "epoll_wait with timeout",
	 .sleep = do_epoll_timeout,
	 .wake = by_byte,
	 .expect = 1},
	{.name = "epoll_pwait2", .sleep = do_epoll_pwait2, .wake = by_byte, .expect = 1},
	{.name = "sigwaitinfo", .sleep = do_sigwaitinfo, .wake = by_rt_signal, .expect = 50},
	{.name = "sigtimedwait", .sleep = do_sigtimedwait, .wake = by_rt_signal, .expect = 50},
	{.name = "pause", .sleep = do_pause, .wake = by_signal, .expect = -EINTR},
	{.name = "sigsuspend", .sleep = do_sigsuspend, .wake = by_signal, .expect = -EINTR},
	{.name = "semop", .sleep = do_semop, .wake = by_semaphore, .expect = 0},
	{.name = "semtimedop", .sleep = do_semtimedop, .wake = by_semaphore, .expect = 0},
	{.name = "msgrcv", .sleep = do_msgrcv, .wake = by_message, .expect = 8},
	{.name = "flock", .sleep = do_flock, .wake = by_unlock, .expect = 0},
	{.name = "open of a fifo", .sleep = do_fifo, .wake = by_fifo, .expect = 0},
	{.name = "splice", .sleep = do_splice, .wake = by_byte, .expect = 8},
};
enum { COUNT = sizeof(waits) / sizeof(waits[0]) };

static void on_wake(int sig)
{
	(void)sig;
}

static void sleeper(void *arg)
{
	struct wait *w = arg;
	long r;

	w->tid = gettid();
	checkpoint_arrive();
	r = w->sleep(w);
	check(__atomic_load_n(&w->woken, __ATOMIC_SEQ_CST),
	      "%s returned %ld before anything happened", w->name, r);
	check(r == w->expect, "%s gives %ld", w->name, r);
}

int main(void)
{
	struct sigaction sa = {.sa_handler = on_wake};
	sigset_t rt;

	must(sigaction(WAKE_SIGNAL, &sa, NULL));
	sigemptyset(&rt);
	sigaddset(&rt, 50);
	must(sigprocmask(SIG_BLOCK, &rt, NULL));
	for (int i = 0; i < COUNT; i++)
		thread_run(sleeper, &waits[i]);
	checkpoint();
	for (int i = 0; i < COUNT; i++) {
		__atomic_store_n(&waits[i].woken, true, __ATOMIC_SEQ_CST);
		waits[i].wake(&waits[i]);
	}
	return test_end();
}
