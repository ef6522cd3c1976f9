/*
 * The parser of /proc/PID/fdinfo: recorded files (fixtures/, Linux 6.18), lines this kernel does
 * not write, and malformed texts that must be rejected.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "kernel/proc-fdinfo.h"
#include "procbox.h"

static const char *test_fdinfo(struct arena *a)
{
	struct fdinfo i;
	uint64_t v;
	int flag;

	check(!fdinfo_parse(fixture(a, "fdinfo-eventfd"), &i));
	check(i.pos == 0 && i.flags == O_RDWR && i.mnt_id == 17 && i.has_ino && i.ino == 1038);
	check(!fdinfo_u64(&i, "eventfd-count", 16, &v) && v == 0x1007fffffff);
	check(!fdinfo_flag(&i, "eventfd-semaphore", &flag) && flag == 1);
	check(fdinfo_has(&i, "eventfd-id") && !fdinfo_has(&i, "eventfd"));
	check(fdinfo_u64(&i, "sigmask", 16, &v) == -ENOENT);
	check(fdinfo_u64(&i, "eventfd-count", 10, &v) == -EINVAL);
	check(!fdinfo_parse(span_of("pos:\t-5\nflags:\t0100000\nmnt_id:\t-1\n"), &i));
	check(i.pos == -5 && i.mnt_id == -1 && !i.has_ino);
	check(fdinfo_parse(span_of("pos:\t0\nflags:\t08\nmnt_id:\t1\n"), &i) == -EINVAL);
	check(fdinfo_parse(span_of("pos:\t0\nflags:\t02\n"), &i) == -EINVAL);
	check(fdinfo_parse(span_of("pos:\t0\nflags:\t02\nmnt_id:\t1\nino:\tx\n"), &i) == -EINVAL);
	check(fdinfo_parse(span_of(""), &i) == -EINVAL);
	return NULL;
}

static const char *test_fdinfo_locks(struct arena *a)
{
	struct fdinfo_lock l;
	struct fdinfo i;
	struct span text;

	check(!fdinfo_parse(fixture(a, "fdinfo-locks"), &i) && i.pos == 77);
	text = i.text;
	check(fdinfo_lock_next(&text, &l) == 1 && l.kind == FDINFO_LOCK_FLOCK);
	check(l.type == FDINFO_LOCK_READ && l.start == 0 && l.end == INT64_MAX && l.pid == 2531);
	check(fdinfo_lock_next(&text, &l) == 1 && l.kind == FDINFO_LOCK_POSIX);
	check(l.type == FDINFO_LOCK_WRITE && l.start == 5 && l.end == 14);
	check(l.has_inode && l.major == 0xfe && l.minor == 0 && l.ino == 10952901);
	check(fdinfo_lock_next(&text, &l) == 1 && l.kind == FDINFO_LOCK_OFD && l.pid == -1);
	check(l.state == FDINFO_LOCK_ADVISORY && l.start == 100 && l.end == INT64_MAX);
	check(fdinfo_lock_next(&text, &l) == 0);
	text = fixture(a, "fdinfo-lease");
	check(fdinfo_lock_next(&text, &l) == 1 && l.kind == FDINFO_LOCK_LEASE);
	check(l.state == FDINFO_LEASE_ACTIVE && l.type == FDINFO_LOCK_READ);
	text = span_of("1: FLOCK  ADVISORY  WRITE 305 fe:00:1095 0 EOF\n"
		       "1: -> FLOCK  ADVISORY  WRITE 306 fe:00:1095 0 EOF\n"
		       "2: POSIX  ADVISORY  READ 7 00:2e:12 4 9\n");
	check(proc_lock_next(&text, &l) == 1 && l.ino == 1095 && l.kind == FDINFO_LOCK_FLOCK);
	check(proc_lock_next(&text, &l) == 1 && l.ino == 12 && l.end == 9);
	check(proc_lock_next(&text, &l) == 0);
	text = span_of("lock:\t1: LEASE  BREAKING  UNLCK 3 <none>:0 0 EOF\n");
	check(fdinfo_lock_next(&text, &l) == 1 && !l.has_inode && l.type == FDINFO_LOCK_UNLOCK);
	return NULL;
}

static const char *test_fdinfo_locks_malformed(struct arena *a)
{
	static const char *const bad[] = {
		"lock:\t1 POSIX  ADVISORY  READ 5 00:01:2 0 EOF",
		"lock:\t1: NEWLK  ADVISORY  READ 5 00:01:2 0 EOF",
		"lock:\t1: POSIX  SOMETIMES READ 5 00:01:2 0 EOF",
		"lock:\t1: POSIX  ADVISORY  RDWR 5 00:01:2 0 EOF",
		"lock:\t1: POSIX  ADVISORY  READ x 00:01:2 0 EOF",
		"lock:\t1: POSIX  ADVISORY  READ 5 00:012 0 EOF",
		"lock:\t1: POSIX  ADVISORY  READ 5 00:0g:2 0 EOF",
		"lock:\t1: POSIX  ADVISORY  READ 5 00:01:2 0",
		"lock:\t1: POSIX  ADVISORY  READ 5 00:01:2 0 END",
		"lock:\t1: POSIX  ADVISORY  READ 5 00:01:2 0 EOF 1",
		"lock:\t",
	};
	struct fdinfo_lock l;

	(void)a;
	for (size_t i = 0; i < array_size(bad); i++) {
		struct span text = span_of(bad[i]);

		if (fdinfo_lock_next(&text, &l) != -EINVAL)
			return bad[i];
	}
	return NULL;
}

static const char *test_fdinfo_epoll(struct arena *a)
{
	struct span text = fixture(a, "fdinfo-epoll"), good = text;
	struct fdinfo_epoll e;

	check(fdinfo_epoll_next(&text, &e) == 1 && e.tfd == 3 && e.data == 3);
	check(e.events == (EPOLLET | EPOLLIN | EPOLLERR | EPOLLHUP) && e.ino == 0x40e);
	check(e.major == 0 && e.minor == 16 && e.pos == 0);
	check(fdinfo_epoll_next(&text, &e) == 1 && e.tfd == 4 && e.data == 0xdeadbeefcafef00d);
	check(e.events == 0x4000001c && fdinfo_epoll_next(&text, &e) == 0);
	text = span_of("tfd:        5 events:  19 data: 7 pos:-1 ino:7 sdev:fe00001\n");
	check(fdinfo_epoll_next(&text, &e) == 1 && e.major == 0xfe);
	check(e.minor == 1 && e.pos == -1);
	text = edit(a, good, "tfd:        3", "tfd:        x");
	check(fdinfo_epoll_next(&text, &e) == -EINVAL);
	text = edit(a, good, "events:", "event:");
	check(fdinfo_epoll_next(&text, &e) == -EINVAL);
	text = edit(a, good, " sdev:10", "");
	check(fdinfo_epoll_next(&text, &e) == -EINVAL);
	text = edit(a, good, "data:                3", "data: 1ffffffffffffffff");
	check(fdinfo_epoll_next(&text, &e) == -EINVAL);
	return NULL;
}

static const char *test_fdinfo_timerfd(struct arena *a)
{
	struct span text = fixture(a, "fdinfo-timerfd");
	struct fdinfo_timerfd t;
	struct fdinfo i;

	check(!fdinfo_parse(text, &i) && !fdinfo_timerfd(&i, &t));
	check(t.clockid == 1 && t.ticks == 0 && t.settime_flags == 0);
	check(t.value.tv_sec == 999 && t.value.tv_nsec == 999979194);
	check(t.interval.tv_sec == 3 && t.interval.tv_nsec == 5);
	i.text = edit(a, text, "settime flags: 00", "settime flags: 03");
	check(!fdinfo_timerfd(&i, &t) && t.settime_flags == 3);
	i.text = edit(a, text, "(3, 5)", "(3, 1000000000)");
	check(fdinfo_timerfd(&i, &t) == -EINVAL);
	i.text = edit(a, text, "(3, 5)", "(3 5)");
	check(fdinfo_timerfd(&i, &t) == -EINVAL);
	i.text = edit(a, text, "(3, 5)", "(");
	check(fdinfo_timerfd(&i, &t) == -EINVAL);
	i.text = edit(a, text, "ticks: 0", "ticks: ");
	check(fdinfo_timerfd(&i, &t) == -EINVAL);
	i.text = edit(a, text, "clockid", "clock");
	check(fdinfo_timerfd(&i, &t) == -EINVAL);
	return NULL;
}

static const char *test_fdinfo_small(struct arena *a)
{
	struct fdinfo i;
	struct fdinfo_pidfd p;
	uint64_t mask;

	check(!fdinfo_parse(fixture(a, "fdinfo-signalfd"), &i) && !fdinfo_signalfd(&i, &mask));
	check(mask == 0x8000000000000204);
	check(fdinfo_pidfd(&i, &p) == -EINVAL);
	check(!fdinfo_parse(fixture(a, "fdinfo-pidfd"), &i) && !fdinfo_pidfd(&i, &p));
	check(p.pid == 2531 && p.n_ns == 1 && p.ns_pid[0] == 2531);
	check(fdinfo_signalfd(&i, &mask) == -EINVAL);
	check(!fdinfo_parse(fixture(a, "fdinfo-pidfd-reaped"), &i) && !fdinfo_pidfd(&i, &p));
	check(p.pid == -1);
	i.text = span_of("Pid:\t9\nNSpid:\t9\t4\t1\n");
	check(!fdinfo_pidfd(&i, &p) && p.n_ns == 3 && p.ns_pid[2] == 1);
	i.text = span_of("Pid:\t9\nNSpid:\t9\tx\n");
	check(fdinfo_pidfd(&i, &p) == -EINVAL);
	return NULL;
}

static const char *test_fdinfo_words(struct arena *a)
{
	struct span text = fixture(a, "fdinfo-inotify"), line;
	uint64_t v;

	check(fdinfo_next(&text, "inotify", &line) && !fdinfo_word_u64(line, "wd", 16, &v) &&
	      v == 2);
	check(fdinfo_next(&text, "inotify", &line) && !fdinfo_word_u64(line, "mask", 16, &v));
	check(v == 0x100 && !fdinfo_word_u64(line, "fhandle-type", 16, &v) && v == 1);
	check(!fdinfo_word(line, "f_handle", &line) && span_eq(line, "a520a700bc5c4bf4"));
	check(fdinfo_word_u64(span_of("a:1 b:x"), "c", 10, &v) == -ENOENT);
	check(fdinfo_word_u64(span_of("a:1 b:x"), "b", 10, &v) == -EINVAL);
	check(!fdinfo_next(&text, "inotify", &line));
	return NULL;
}

static const struct test tests[] = {
	{ "fdinfo", test_fdinfo },
	{ "fdinfo locks", test_fdinfo_locks },
	{ "fdinfo locks malformed", test_fdinfo_locks_malformed },
	{ "fdinfo epoll", test_fdinfo_epoll },
	{ "fdinfo timerfd", test_fdinfo_timerfd },
	{ "fdinfo signalfd pidfd", test_fdinfo_small },
	{ "fdinfo words", test_fdinfo_words },
};

int main(void)
{
	return run_tests(tests, array_size(tests));
}
