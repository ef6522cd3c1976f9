/*
 * Descriptor tables there and back without a frozen tree: a stopped child builds a state, its table
 * is dumped, and another child gets it from the plan. What the tasks check is what a restored task
 * would see. Needs no root for files of its own, but pidfd_getfd and kcmp must be allowed.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/log.h"
#include "core/file/file.h"
#include "core/file/inode.h"
#include "kernel/clone.h"
#include "kernel/descriptor.h"

#define KINDS(X)    \
	X(pipe)     \
	X(dev)      \
	X(procfile) \
	X(opath)    \
	X(regular) X(fifo) X(eventfd) X(signalfd) X(timerfd) X(epoll) X(pidfd) X(unix)
#define EXTERN(name) extern const struct fd_kind kind_##name;
#define ENTRY(name)  &kind_##name,
KINDS(EXTERN)
const struct fd_kind *const fd_kinds[] = { KINDS(ENTRY) NULL };
const struct task_kind *const task_kinds[] = { NULL };
struct mem_kind;
extern const struct mem_kind *const mem_kinds[];
const struct mem_kind *const mem_kinds[] = { NULL };

struct scene {
	const char *name;
	void (*setup)(void);
	int (*verify)(void); /* 0: fine, else the line */
};

#define want(c)                          \
	do {                             \
		if (!(c))                \
			return __LINE__; \
	} while (0)

static int own_fds(void)
{
	int n = 0;

	for (int i = 0; i < 4096; i++)
		n += fcntl(i, F_GETFD) >= 0;
	return n;
}

/* --- scenes --------------------------------------------------------------------------------------
 */

static void setup_plain(void)
{
	int fd = open("plain", O_RDWR | O_CREAT | O_APPEND, 0600);

	(void)!write(fd, "0123456789", 10);
	(void)lseek(fd, 3, SEEK_SET);
	(void)dup2(fd, 20);
	(void)fcntl(20, F_SETFD, FD_CLOEXEC);
	(void)dup2(open("plain", O_RDONLY | O_NONBLOCK), 30);
	(void)dup2(open("/dev/null", O_WRONLY), 31);
	(void)dup2(open("/", O_RDONLY | O_DIRECTORY), 32);
	(void)close(4);
	(void)close(5);
	(void)close(6);
}

static int verify_plain(void)
{
	want(lseek(3, 0, SEEK_CUR) == 3 && lseek(20, 1, SEEK_CUR) == 4 &&
	     lseek(3, 0, SEEK_CUR) == 4);
	want(lseek(30, 0, SEEK_CUR) == 0);
	want(fcntl(3, F_GETFD) == 0 && fcntl(20, F_GETFD) == FD_CLOEXEC);
	want((fcntl(3, F_GETFL) & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND));
	want((fcntl(30, F_GETFL) & (O_ACCMODE | O_NONBLOCK)) == O_NONBLOCK);
	want(write(31, "x", 1) == 1);
	want(own_fds() == 8);
	return 0;
}

static void setup_pipe(void)
{
	char name[32];
	int p[2], q[2];

	(void)!pipe2(p, O_NONBLOCK); /* 3 4: content, both ends, a third */
	(void)!write(p[1], "hello", 5);
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", p[0]);
	(void)open(name, O_RDWR); /* 5 */
	(void)!pipe2(q, O_DIRECT | O_NONBLOCK |
				O_CLOEXEC); /* 6 7: packets, the writer gone, one page */
	(void)fcntl(q[1], F_SETPIPE_SZ, 4096 * 8);
	(void)!write(q[1], "ab", 2);
	(void)!write(q[1], "cde", 3);
	(void)close(q[1]);
	(void)!pipe(p); /* 7 8: one slot, appendable */
	(void)fcntl(p[1], F_SETPIPE_SZ, 4096);
	(void)!write(p[1], "0123456789", 10);
	(void)fcntl(p[1], F_SETFL, O_NONBLOCK);
}

static int verify_pipe(void)
{
	char buf[100];

	want(read(3, buf, sizeof(buf)) == 5 && !memcmp(buf, "hello", 5));
	want(read(3, buf, sizeof(buf)) == -1 && errno == EAGAIN);
	want((fcntl(5, F_GETFL) & O_ACCMODE) == O_RDWR && !(fcntl(5, F_GETFL) & O_NONBLOCK));
	want(write(5, "z", 1) == 1 && read(3, buf, 9) == 1);
	want(fcntl(6, F_GETPIPE_SZ) == 4096 * 8 && fcntl(6, F_GETFD) == FD_CLOEXEC);
	want(read(6, buf, 1) == 1 && buf[0] == 'a');
	want(read(6, buf, 100) == 3 && buf[0] == 'c');
	want(read(6, buf, 100) == 0);
	want(fcntl(8, F_GETPIPE_SZ) == 4096);
	want(write(8, "ABCD", 4) == 4);
	want(read(7, buf, 100) == 14 && !memcmp(buf, "0123456789ABCD", 14));
	want(own_fds() == 3 + 6);
	return 0;
}

static void setup_ghost(void)
{
	int fd = open("ghost\n%\\\"", O_RDWR | O_CREAT, 0600);

	(void)!ftruncate(fd, 1 << 20);
	(void)!pwrite(fd, "tail", 4, (1 << 20) - 4);
	(void)!link("ghost\n%\\\"", "other");
	(void)open("other", O_RDONLY); /* 4 */
	(void)unlink("ghost\n%\\\"");
	(void)unlink("other");
	(void)open(".", O_TMPFILE | O_RDWR, 0640); /* 5 */
	(void)!write(5, "nameless", 8);
	(void)mkdir("gone", 0750);
	(void)mkdir("gone/deeper", 0750);
	(void)open("gone/deeper", O_RDONLY | O_DIRECTORY);	 /* 6 */
	(void)open("gone/deeper/file", O_RDWR | O_CREAT, 04711); /* 7 */
	(void)unlink("gone/deeper/file");
	(void)rmdir("gone/deeper");
	(void)rmdir("gone");
	(void)open("taken", O_RDWR | O_CREAT, 0600); /* 8 */
	(void)unlink("taken");
	(void)close(open("taken", O_RDWR | O_CREAT, 0644));
}

static bool link_ends(int fd, const char *end)
{
	char name[32], buf[4096] = "";

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	(void)!readlink(name, buf, sizeof(buf) - 1);
	return strlen(buf) >= strlen(end) && !strcmp(buf + strlen(buf) - strlen(end), end);
}

static int verify_ghost(void)
{
	struct stat a, b;
	char buf[16];

	want(!fstat(3, &a) && !fstat(4, &b) && a.st_ino == b.st_ino && a.st_nlink == 0);
	want(a.st_size == 1 << 20 && a.st_blocks * 512 <= 8192);
	want(pread(4, buf, 4, (1 << 20) - 4) == 4 && !memcmp(buf, "tail", 4));
	want(link_ends(3, "/ghost\n%\\\" (deleted)") && link_ends(4, "/other (deleted)"));
	want(!fstat(5, &a) && a.st_nlink == 0 && a.st_size == 8 && (a.st_mode & 07777) == 0640);
	want(lseek(5, 0, SEEK_CUR) == 8 && fcntl(5, F_GETFL) & O_TMPFILE_BIT);
	want(!linkat(AT_FDCWD, "/proc/self/fd/5", AT_FDCWD, "published", AT_SYMLINK_FOLLOW));
	want(!fstat(6, &a) && S_ISDIR(a.st_mode) && (a.st_mode & 07777) == 0750 && a.st_nlink == 0);
	want(link_ends(6, "/gone/deeper (deleted)") && link_ends(7, "/gone/deeper/file (deleted)"));
	want(!fstat(7, &a) && (a.st_mode & 07777) == 04711);
	want(!fstat(8, &a) && a.st_nlink == 0);
	want(access("gone", F_OK) && access("other", F_OK) && !access("taken", F_OK));
	return 0;
}

static void setup_locks(void)
{
	struct flock l = { .l_type = F_WRLCK, .l_start = 5, .l_len = 10 };
	int fd = open("locked", O_RDWR | O_CREAT, 0600);

	(void)ioctl(fd, 0); /* nothing */
	(void)fcntl(fd, F_OFD_SETLK, &l);
	(void)fcntl(fd, F_SETOWN, getpid());
	(void)fcntl(fd, F_SETSIG, SIGUSR1);
}

static int verify_locks(void)
{
	struct flock l = { .l_type = F_RDLCK, .l_start = 0, .l_len = 0 };
	int fd = open("locked", O_RDWR);

	want(fd >= 0 && !fcntl(fd, F_OFD_GETLK, &l));
	want(l.l_type == F_WRLCK && l.l_start == 5 && l.l_len == 10);
	want(fcntl(3, F_GETSIG) == SIGUSR1);
	return 0;
}

static void ready(int set, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = { .events = events, .data.u64 = data };

	(void)epoll_ctl(set, EPOLL_CTL_ADD, fd, &e);
}

static void setup_events(void)
{
	const uint64_t big = 0x1234567890;
	struct epoll_event e;
	sigset_t mask;
	int p[2];

	(void)sigemptyset(&mask);
	(void)sigaddset(&mask, SIGUSR2);
	(void)eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE | EFD_CLOEXEC); /* 3 */
	(void)!write(3, &big, 8);
	(void)signalfd(-1, &mask, SFD_NONBLOCK); /* 4 */
	(void)epoll_create1(EPOLL_CLOEXEC);	 /* 5 */
	(void)!pipe(p);				 /* 6 7 */
	ready(5, 3, EPOLLIN | EPOLLET, 33);
	ready(5, 7, EPOLLOUT | EPOLLONESHOT, 77);
	(void)epoll_wait(5, &e, 1, 0);
	(void)epoll_wait(5, &e, 1, 0); /* both fired, 7 is disarmed */
	(void)dup2(3, 10);	       /* an item whose number is closed */
	ready(5, 10, EPOLLIN, 10);
	(void)close(10);
	(void)dup2(6, 11); /* and one whose number is another file */
	ready(5, 11, EPOLLIN, 11);
	(void)dup2(3, 11);
	(void)epoll_create1(0); /* 8: nested */
	ready(8, 5, EPOLLIN, 5);
	(void)timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK); /* 9 */
}

static bool lists(int set, const char *line)
{
	char name[40], buf[2000] = "";
	FILE *f;

	(void)snprintf(name, sizeof(name), "/proc/self/fdinfo/%d", set);
	f = fopen(name, "r");
	(void)!fread(buf, 1, sizeof(buf) - 1, f);
	(void)fclose(f);
	return strstr(buf, line);
}

static int verify_events(void)
{
	struct epoll_event e[8];
	uint64_t v;
	int n, sum = 0;

	want(lists(3, "eventfd-count:       1234567890") && lists(3, "eventfd-semaphore: 1"));
	want(read(3, &v, 8) == 8 && v == 1);
	want(fcntl(3, F_GETFD) == FD_CLOEXEC && fcntl(4, F_GETFL) & O_NONBLOCK);
	want(lists(4, "sigmask:\t0000000000000800"));
	want(lists(5, "tfd:        3") && lists(5, "tfd:        7 events: 40000000") &&
	     lists(5, "tfd:       10") && lists(5, "tfd:       11") && lists(8, "tfd:        5"));
	n = epoll_wait(5, e, 8, 0);
	for (int i = 0; i < n; i++)
		sum += (int)e[i].data.u64;
	want(n == 2 && sum == 33 + 10);
	want(write(7, "x", 1) == 1 && epoll_wait(5, e, 8, 0) == 2);
	want(epoll_wait(8, e, 8, 0) == 1 && e[0].data.u64 == 5);
	want(epoll_ctl(5, EPOLL_CTL_DEL, 3, NULL) == 0);
	want(fcntl(9, F_GETFL) & O_NONBLOCK && own_fds() == 11);
	return 0;
}

static void setup_fifo(void)
{
	(void)mkfifo("fifo", 0640);
	(void)open("fifo", O_RDONLY | O_NONBLOCK); /* 3 */
	(void)open("fifo", O_RDWR);		   /* 4 */
	(void)!write(4, "data", 4);
	(void)close(4); /* 3 sees a writer gone */
	(void)mkfifo("quiet", 0600);
	(void)open("quiet", O_RDONLY | O_NONBLOCK); /* 4: never had one */
	(void)mkfifo("gone", 0600);
	(void)open("gone", O_RDWR);		   /* 5 */
	(void)open("gone", O_WRONLY | O_NONBLOCK); /* 6 */
	(void)!write(6, "ghost", 5);
	(void)unlink("gone");
}

static int verify_fifo(void)
{
	struct pollfd p[2] = { { 3, POLLIN, 0 }, { 4, POLLIN, 0 } };
	char buf[10];

	want(poll(p, 2, 0) == 1 && p[0].revents == (POLLIN | POLLHUP) && p[1].revents == 0);
	want(read(3, buf, 10) == 4 && !memcmp(buf, "data", 4) && read(3, buf, 10) == 0);
	want(read(5, buf, 10) == 5 && !memcmp(buf, "ghost", 5));
	want(!(fcntl(5, F_GETFL) & O_NONBLOCK) && fcntl(6, F_GETFL) & O_NONBLOCK);
	want(access("gone", F_OK));
	return 0;
}

static void setup_processes(void)
{
	pid_t child = fork();
	char name[40];

	if (!child)
		pause();
	(void)syscall(SYS_pidfd_open, getpid(), O_NONBLOCK); /* 3 */
	(void)syscall(SYS_pidfd_open, child, 0);	     /* 4 */
	(void)syscall(SYS_pidfd_open, child, 0);	     /* 5 */
	(void)open("/proc/self/maps", O_RDONLY);	     /* 6 */
	(void)snprintf(name, sizeof(name), "/proc/%d", child);
	(void)open(name, O_RDONLY | O_DIRECTORY); /* 7 */
	(void)snprintf(name, sizeof(name), "/proc/%d/stat", child);
	(void)open(name, O_RDONLY);	       /* 8 */
	(void)open("/proc/meminfo", O_RDONLY); /* 9 */
	(void)symlink("nowhere", "link");
	(void)open("link", O_PATH | O_NOFOLLOW); /* 10 */
	(void)unlink("link");
	(void)kill(child, SIGKILL);
	(void)waitpid(child, NULL, 0);
}

static int verify_processes(void)
{
	struct stat a, b;
	char buf[64];

	want(lists(3, "Pid:") && lists(4, "Pid:\t-1") && fcntl(3, F_GETFL) & O_NONBLOCK);
	want(!fstat(4, &a) && !fstat(5, &b) && a.st_ino == b.st_ino);
	want(!fstat(6, &a) && !stat("/proc/self/maps", &b) && a.st_ino == b.st_ino);
	want(read(6, buf, sizeof(buf)) > 0);
	want(openat(7, "stat", O_RDONLY) < 0 && read(8, buf, sizeof(buf)) < 0 && errno == ESRCH);
	want(link_ends(7, " (deleted)") && read(9, buf, 8) == 8);
	want(fcntl(10, F_GETFL) & O_PATH && readlinkat(10, "", buf, 64) == 7 &&
	     link_ends(10, "/link (deleted)"));
	return 0;
}

static void setup_sockets(void)
{
	int s[2];

	(void)!socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s); /* 3 4 */
	(void)!write(3, "stream", 6);
	(void)!write(4, "back", 4);
	(void)shutdown(4, SHUT_WR);
	(void)!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s); /* 5 6 */
	(void)!write(5, "one", 3);
	(void)!write(5, "", 0);
	(void)!write(5, "three", 5);
	(void)close(5);
	(void)socket(AF_UNIX, SOCK_DGRAM, 0);			     /* 5: alone */
	(void)!socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, s); /* 7 8 */
	(void)!write(7, "", 0);
	(void)!write(7, "", 0);
	(void)!write(7, "x", 1);
}

static int verify_sockets(void)
{
	struct ucred c;
	socklen_t len = sizeof(c);
	char buf[20];

	want(read(4, buf, 20) == 6 && !memcmp(buf, "stream", 6) && read(4, buf, 20) == -1);
	want(read(3, buf, 20) == 4 && read(3, buf, 20) == 0 && send(4, "", 1, MSG_NOSIGNAL) == -1);
	want(write(3, "more", 4) == 4 && read(4, buf, 20) == 4);
	want(!getsockopt(3, SOL_SOCKET, SO_PEERCRED, &c, &len) && c.pid == getpid());
	want(read(6, buf, 20) == 3 && read(6, buf, 20) == 0 && read(6, buf, 20) == 5);
	want(read(6, buf, 20) == 0 && fcntl(7, F_GETFD) == FD_CLOEXEC);
	want(read(8, buf, 20) == 0 && read(8, buf, 20) == 0 && read(8, buf, 20) == 1);
	want(write(5, "x", 1) == -1 && errno == ENOTCONN);
	return 0;
}

static void setup_many(void)
{
	const struct rlimit limit = { 20000, 20000 };

	(void)setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 5000; i++)
		(void)open("plain", O_RDONLY | O_CREAT, 0600);
}

static int verify_many(void)
{
	want(fcntl(5002, F_GETFD) == 0 && fcntl(5003, F_GETFD) < 0);
	return 0;
}

static void setup_pipes(void)
{
	int p[2];

	for (int i = 0; i < 500; i++)
		(void)!pipe(p);
}

static int verify_pipes(void)
{
	want(fcntl(1002, F_GETFD) == 0 && fcntl(1003, F_GETFD) < 0);
	return 0;
}

static const struct scene scenes[] = {
	{ "plain files, a device, a directory", setup_plain, verify_plain },
	{ "pipes", setup_pipe, verify_pipe },
	{ "files without a name", setup_ghost, verify_ghost },
	{ "locks and owners", setup_locks, verify_locks },
	{ "events", setup_events, verify_events },
	{ "named pipes", setup_fifo, verify_fifo },
	{ "processes", setup_processes, verify_processes },
	{ "pairs of sockets", setup_sockets, verify_sockets },
	{ "5000 files", setup_many, verify_many },
	{ "500 pipes", setup_pipes, verify_pipes },
};

/* --- the cycle -----------------------------------------------------------------------------------
 */

struct report {
	double apply_ms;
	int line;
};

static struct task *one_task(struct arena *a, struct tree *tree, pid_t pid)
{
	struct task *t = arena_new(a, struct task);
	struct thread *th = arena_new(a, struct thread);

	*th = (struct thread){ .tid = pid, .task = t };
	t->pid = pid;
	*vec_push(a, &t->thread) = th;
	*vec_push(a, &tree->task) = t;
	*vec_push(a, &tree->thread) = th;
	return t;
}

static double ms_since(const struct timespec *from)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - from->tv_sec) * 1e3 +
	       (double)(now.tv_nsec - from->tv_nsec) / 1e6;
}

static int dump_child(pid_t pid, int images)
{
	struct dump_options opt = { .pid = pid, .images_fd = images, .work_fd = images };
	struct dump d = { .opt = &opt };
	struct timespec from;
	struct task *t;
	char path[32];
	int r;

	arena_init(&d.arena);
	blockers_init(&d.blockers, &d.arena);
	t = one_task(&d.arena, &d.tree, pid);
	(void)snprintf(path, sizeof(path), "/proc/%d", pid);
	t->proc_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	r = image_set_create(&d.arena, images, 0, &d.set);
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	r = r ? r : files_dump(&d);
	r = r ? r : inode_dump_finish(&d);
	(void)printf("# dump %.2f ms\n", ms_since(&from));
	(void)blockers_report(&d.blockers);
	r = r ? r : image_set_commit(d.set);
	inode_dump_commit(&d);
	(void)close(t->proc_fd);
	(void)close(t->pidfd);
	if (d.set)
		image_set_close(d.set);
	arena_deinit(&d.arena);
	return r;
}

static int restore_here(pid_t pid, int images, const struct scene *s)
{
	struct restore_options opt = { .images_fd = images, .work_fd = images };
	struct restore *r = &(struct restore){ .opt = &opt };
	struct timespec from;
	struct task *t;
	int e, status;
	pid_t child;
	struct report *report =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	arena_init(&r->arena);
	blockers_init(&r->blockers, &r->arena);
	t = one_task(&r->arena, &r->tree, pid);
	e = image_set_open(&r->arena, images, &r->set);
	e = e ? e : inode_plan(r);
	e = e ? e : files_plan(r);
	(void)blockers_report(&r->blockers);
	e = e ? e : inode_create_ghosts(r);
	e = e ? e : files_open_shared(r);
	if (e)
		return e;
	(void)fflush(stdout);
	child = (pid_t)clone_process(pid, 0, SIGCHLD);
	if (!child) {
		struct self self = { &r->arena, r, t };

		(void)clock_gettime(CLOCK_MONOTONIC, &from);
		e = files_apply(&self);
		report->apply_ms = ms_since(&from);
		(void)raise(SIGSTOP);
		report->line = e ? -e : s->verify();
		_exit(report->line != 0);
	}
	e = child < 0 ? child : files_open_late(r);
	if (e)
		return e;
	(void)waitpid(child, &status, WUNTRACED);
	files_close_shared(r);
	e = inode_remove_ghosts(r, true);
	(void)kill(child, SIGCONT);
	(void)waitpid(child, &status, 0);
	arena_deinit(&r->arena);
	(void)printf("# apply %.2f ms, line %d\n", report->apply_ms, report->line);
	return e ? e : status;
}

static int run(const struct scene *s)
{
	char dir[] = "/tmp/file-cycle.XXXXXX", command[64];
	int images, e, status;
	pid_t child;

	if (!mkdtemp(dir) || chdir(dir) || mkdir("images", 0700))
		return -1;
	images = open("images", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)fflush(stdout);
	child = fork();
	if (!child) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (int i = 0; i < 3; i++)
			(void)dup2(open("/dev/null", O_RDWR), i);
		(void)close_range(3, ~0U, 0);
		s->setup();
		(void)raise(SIGSTOP);
		_exit(0);
	}
	(void)waitpid(child, &status, WUNTRACED);
	e = dump_child(child, images);
	(void)kill(child, SIGKILL);
	(void)waitpid(child, &status, 0);
	e = e ? e : restore_here(child, images, s);
	(void)close(images);
	if (!access("images/journal", F_OK))
		e = e ? e : -EEXIST;
	(void)!chdir("/");
	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	(void)!system(command);
	return e;
}

int main(void)
{
	int failed = 0;

	log_setup(&(struct log_config){ .fd = 2, .level = LOG_INFO });
	if (geteuid() && syscall(SYS_kcmp, getpid(), getpid(), 0, 1, 1)) {
		(void)printf("0 passed, 0 failed, 1 skipped (kcmp is not allowed)\n");
		return 0;
	}
	for (size_t i = 0; i < array_size(scenes); i++) {
		int e = run(&scenes[i]);

		(void)printf("%s: %s\n", e ? "FAIL" : "ok", scenes[i].name);
		failed += e != 0;
	}
	(void)printf("%zu passed, %d failed, 0 skipped\n", array_size(scenes) - (size_t)failed,
		     failed);
	return failed != 0;
}
