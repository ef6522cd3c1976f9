/*
 * Anonymous event objects: eventfd, timerfd, signalfd, epoll, inotify, pidfd.
 */
#include "factory.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static uint64_t read_u64(int fd)
{
	uint64_t value = 0;

	check(read(fd, &value, 8) == 8, "descriptor %d", fd);
	return value;
}

static void make_eventfd(struct object *o)
{
	uint64_t value = 0x100000000 + o->seed;

	o->fd[0] = must(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	must_true(write(o->fd[0], &value, 8) == 8);
}

static void check_eventfd(struct object *o)
{
	check(fcntl(o->fd[0], F_GETFL) & O_NONBLOCK && fcntl(o->fd[0], F_GETFD) == FD_CLOEXEC);
	check(read_u64(o->fd[0]) == 0x100000000 + o->seed);
	check(read(o->fd[0], &(uint64_t){0}, 8) < 0 && errno == EAGAIN);
}

static void make_semaphore(struct object *o)
{
	o->fd[0] = must(eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK));
}

static void check_semaphore(struct object *o)
{
	check(read_u64(o->fd[0]) == 1 && read_u64(o->fd[0]) == 1);
	check(read(o->fd[0], &(uint64_t){0}, 8) < 0 && errno == EAGAIN);
}

static void make_timer(struct object *o, int clock, int flags, time_t value, time_t interval)
{
	struct itimerspec set = {{interval, 5 * (interval > 0)}, {value, 0}};

	o->fd[0] = must(timerfd_create(clock, TFD_NONBLOCK));
	must(timerfd_settime(o->fd[0], flags, &set, NULL));
	must(timerfd_gettime(o->fd[0], &set));
	o->note[0] = set.it_value.tv_sec;
	o->note[1] = interval;
}

static void make_timerfd_off(struct object *o)
{
	make_timer(o, CLOCK_MONOTONIC, 0, 0, 0);
}
static void make_timerfd(struct object *o)
{
	make_timer(o, CLOCK_BOOTTIME, 0, 5000 + (time_t)o->seed, 77);
}

static void make_timerfd_absolute(struct object *o)
{
	make_timer(o, CLOCK_REALTIME, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, 4102444800, 0);
}

static void check_timerfd(struct object *o)
{
	struct itimerspec now;

	check(!timerfd_gettime(o->fd[0], &now) && now.it_interval.tv_sec == o->note[1]);
	check(now.it_value.tv_sec <= o->note[0] && now.it_value.tv_sec >= o->note[0] - 600,
	      "%ld s left, were %ld", now.it_value.tv_sec, o->note[0]);
	check(read(o->fd[0], &(uint64_t){0}, 8) < 0 && errno == EAGAIN);
}

static void make_timerfd_expired(struct object *o)
{
	struct itimerspec set = {{0, 0}, {0, 1}};

	o->fd[0] = must(timerfd_create(CLOCK_MONOTONIC, 0));
	must(timerfd_settime(o->fd[0], 0, &set, NULL));
	/* Waits for the expiration without taking it. */
	o->fd[1] = must(epoll_create1(0));
	must(epoll_ctl(o->fd[1], EPOLL_CTL_ADD, o->fd[0],
		       &(struct epoll_event){.events = EPOLLIN}));
	must_true(epoll_wait(o->fd[1], &(struct epoll_event){0}, 1, -1) == 1);
}

static void check_timerfd_expired(struct object *o)
{
	check(epoll_wait(o->fd[1], &(struct epoll_event){0}, 1, -1) == 1 &&
	      read_u64(o->fd[0]) == 1);
}

static void make_signalfd(struct object *o)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigaddset(&set, 45);
	must(sigprocmask(SIG_BLOCK, &set, NULL));
	o->fd[0] = must(signalfd(-1, &set, SFD_NONBLOCK));
}

static void check_signalfd(struct object *o)
{
	struct signalfd_siginfo info;
	union sigval value = {.sival_int = 4711};

	check(read(o->fd[0], &info, sizeof(info)) < 0 && errno == EAGAIN);
	check(!sigqueue(getpid(), 45, value));
	check(read(o->fd[0], &info, sizeof(info)) == sizeof(info) && info.ssi_signo == 45 &&
	      info.ssi_int == 4711);
}

static void epoll_add(int ep, int fd, uint32_t events, uint64_t data)
{
	must(epoll_ctl(ep, EPOLL_CTL_ADD, fd,
		       &(struct epoll_event){.events = events, .data.u64 = data}));
}

/* fd: 0 the epoll, 1 and 2 a pipe, 3 an eventfd under one-shot already spent, 4 another epoll
 * inside. */
static void make_epoll(struct object *o)
{
	o->fd[0] = must(epoll_create1(EPOLL_CLOEXEC));
	must(pipe(o->fd + 1));
	o->fd[3] = must(eventfd(1, 0));
	o->fd[4] = must(epoll_create1(0));
	epoll_add(o->fd[0], o->fd[3], EPOLLIN | EPOLLONESHOT, 3);
	must_true(epoll_wait(o->fd[0], &(struct epoll_event){0}, 1, 0) == 1);
	epoll_add(o->fd[0], o->fd[1], EPOLLIN | EPOLLRDHUP, 0xdeadbeef00000000 + o->seed);
	epoll_add(o->fd[4], o->fd[3], EPOLLIN, 5);
	epoll_add(o->fd[0], o->fd[4], EPOLLIN | EPOLLET, 4);
	must_true(epoll_wait(o->fd[0], &(struct epoll_event){0}, 1, 0) == 1);
}

static void check_epoll(struct object *o)
{
	struct epoll_event e[4];
	bool pipe_seen = false;
	int n;

	stream_put(o->fd[2], 1, 1);
	n = epoll_wait(o->fd[0], e, 4, 0);
	for (int i = 0; i < n; i++) {
		/* The edge of the inner epoll may be reported once more; the spent one-shot must
		 * not be. */
		check(e[i].data.u64 != 3);
		pipe_seen |=
			e[i].data.u64 == 0xdeadbeef00000000 + o->seed && e[i].events == EPOLLIN;
	}
	check(pipe_seen, "%d events", n);
	check(!epoll_ctl(o->fd[0], EPOLL_CTL_MOD, o->fd[3],
			 &(struct epoll_event){.events = EPOLLIN}));
	check(epoll_ctl(o->fd[0], EPOLL_CTL_ADD, o->fd[1], &e[0]) < 0 && errno == EEXIST);
	check(epoll_wait(o->fd[4], e, 1, 0) == 1 && e[0].data.u64 == 5);
}

static void make_inotify(struct object *o)
{
	o->fd[0] = must(inotify_init1(IN_NONBLOCK));
	must(mkdir(o->name, 0700));
	must(inotify_rm_watch(o->fd[0], must(inotify_add_watch(o->fd[0], "/", IN_CREATE))));
	must_true(read(o->fd[0], &(char[64]){0}, 64) > 0);
	o->note[0] = must(inotify_add_watch(o->fd[0], o->name, IN_CREATE | IN_DELETE));
}

static void check_inotify(struct object *o)
{
	char path[128], buf[256] __attribute__((aligned(8)));
	struct inotify_event *e = (void *)buf;

	check(read(o->fd[0], buf, sizeof(buf)) < 0 && errno == EAGAIN, "an event nobody caused");
	snprintf(path, sizeof(path), "%s/file", o->name);
	check(!close(open(path, O_CREAT | O_WRONLY, 0600)));
	check(read(o->fd[0], buf, sizeof(buf)) > 0 && e->wd == o->note[0] && e->mask == IN_CREATE &&
		      !strcmp(e->name, "file"),
	      "watch %d mask %#x", e->wd, e->mask);
}

static void make_pidfd(struct object *o)
{
	o->fd[0] = must((int)syscall(SYS_pidfd_open, getpid(), 0));
	o->note[0] = getpid();
}

static void check_pidfd(struct object *o)
{
	char path[64], value[32];

	snprintf(path, sizeof(path), "fdinfo/%d", o->fd[0]);
	check(proc_value(path, "Pid", value, sizeof(value)) && atol(value) == o->note[0], "%s",
	      value);
	check(!syscall(SYS_pidfd_send_signal, o->fd[0], 0, NULL, 0));
}

static void make_pidfd_dead(struct object *o)
{
	for (int i = 0; i < 2; i++) {
		pid_t pid = must(fork());

		if (!pid)
			_exit(i);
		o->fd[i] = must((int)syscall(SYS_pidfd_open, pid, i ? O_NONBLOCK : 0));
		must(waitpid(pid, NULL, 0));
	}
}

static void check_pidfd_dead(struct object *o)
{
	for (int i = 0; i < 2; i++)
		check(syscall(SYS_pidfd_send_signal, o->fd[i], 0, NULL, 0) < 0 && errno == ESRCH);
	check(fcntl(o->fd[1], F_GETFL) & O_NONBLOCK);
}

const struct factory event_factories[] = {
	{"eventfd", make_eventfd, check_eventfd, NULL},
	{"eventfd-semaphore", make_semaphore, check_semaphore, NULL},
	{"timerfd-off", make_timerfd_off, check_timerfd, NULL},
	{"timerfd", make_timerfd, check_timerfd, NULL},
	{"timerfd-absolute", make_timerfd_absolute, check_timerfd, NULL},
	{"timerfd-expired", make_timerfd_expired, check_timerfd_expired, NULL},
	{"signalfd", make_signalfd, check_signalfd, NULL},
	{"epoll", make_epoll, check_epoll, NULL},
	{"inotify", make_inotify, check_inotify, NULL},
	{"pidfd", make_pidfd, check_pidfd, NULL},
	{"pidfd-dead", make_pidfd_dead, check_pidfd_dead, NULL},
	{0},
};
