/*
 * A process of a chosen shape for scripts/bench: target CONTROL SHAPE N.
 *
 * It makes N of something (forked children, threads, pages, mappings, pipes), says so in the
 * control file, and waits. While the control file asks for it, the main thread spins reading the
 * clock and keeps the longest gap between two readings there: the stop of a dump as the target
 * itself sees it. The control file is a shared mapping, so the bench reads it while the target is
 * stopped or gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct control {
	_Atomic uint64_t ready;	     /* 1 when the shape stands */
	_Atomic uint64_t spin;	     /* set by the bench */
	_Atomic uint64_t longest_ns; /* of the gaps since the bench wrote 0 here */
	_Atomic uint64_t beats;	     /* goes on while the target lives */
};

static void die(const char *what)
{
	fprintf(stderr, "target: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void *must_map(size_t len, int prot, int flags)
{
	void *p = mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void fork_children(long n)
{
	char *shared = must_map(1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED);
	char *private = must_map(1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	memset(private, 'p', 1 << 20);
	for (long i = 0; i < n; i++) {
		pid_t pid = fork();

		if (pid < 0)
			die("fork");
		if (pid == 0) {
			shared[i % (1 << 20)] = 'c';
			private[i * 4096 % (1 << 20)] = 'c';
			while (1)
				pause();
		}
	}
}

static void *thread_body(void *arg)
{
	while (1)
		pause();
	return arg;
}

static void start_threads(long n)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 << 10);
	for (long i = 0; i < n; i++) {
		errno = pthread_create(&thread, &attr, thread_body, NULL);
		if (errno)
			die("pthread_create");
	}
}

static void dirty_memory(long mib)
{
	size_t len = (size_t)mib << 20;
	uint64_t *p = must_map(len, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint64_t x = 88172645463325252u;

	/* Bytes that do not compress and no page equal to another. */
	for (size_t i = 0; i < len / sizeof(*p); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
}

/* Neighbours of different protection do not merge: every second page is read-only. */
static void make_mappings(long n)
{
	char *p = must_map((size_t)n * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE);

	for (long i = 0; i < n; i++)
		p[i * 4096] = (char)i;
	for (long i = 0; i < n; i += 2)
		if (mprotect(p + i * 4096, 4096, PROT_READ))
			die("mprotect");
}

static void allow_many_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static void make_pipes(long n)
{
	int ends[2];

	allow_many_descriptors();
	for (long i = 0; i < n; i++) {
		if (pipe(ends))
			die("pipe");
		if (write(ends[1], &i, sizeof(i)) != sizeof(i))
			die("write");
	}
}

static void open_files(long n)
{
	char name[32];

	allow_many_descriptors();
	for (long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "file%ld", i);
		if (open(name, O_RDWR | O_CREAT, 0600) < 0)
			die("open");
	}
}

/* n sockets, in pairs. */
static void make_socketpairs(long n)
{
	int ends[2];

	allow_many_descriptors();
	for (long i = 0; i < n; i += 2) {
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
			die("socketpair");
		if (write(ends[1], &i, sizeof(i)) != sizeof(i))
			die("write");
	}
}

/* The far ends: a process outside the tree, which ends when its first connection does. */
static void hold_far_ends(int listener, long n)
{
	char c;
	int first = -1;

	for (long i = 0; i < n; i++) {
		int fd = accept(listener, NULL, NULL);

		if (fd < 0 || write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
		first = first < 0 ? fd : first;
	}
	alarm(600); /* whatever becomes of the connections */
	while (read(first, &c, 1) > 0)
		;
	_exit(0);
}

static void connect_to_outside(long n)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	allow_many_descriptors();
	if (listener < 0 || bind(listener, (struct sockaddr *)&a, len) || listen(listener, 4096) ||
	    getsockname(listener, (struct sockaddr *)&a, &len))
		die("listen");
	pid = fork();
	if (pid == 0) {
		setsid();
		if (fork() == 0)
			hold_far_ends(listener, n);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	close(listener);
	for (long i = 0; i < n; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);
		long got;

		if (fd < 0 || connect(fd, (struct sockaddr *)&a, len))
			die("connect");
		if (recv(fd, &got, sizeof(got), MSG_PEEK | MSG_WAITALL) != sizeof(got))
			die("recv");
	}
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void spin(struct control *c)
{
	uint64_t last = now_ns(), now;

	for (; c->spin; last = now) {
		now = now_ns();
		if (now - last > c->longest_ns)
			c->longest_ns = now - last;
		c->beats++;
	}
}

static struct control *open_control(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct control *c;

	if (fd < 0)
		die(path);
	c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (c == MAP_FAILED)
		die("mmap of the control file");
	close(fd);
	return c;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*make)(long n);
	} shapes[] = {
		{ "forked", fork_children }, { "threads", start_threads },
		{ "dirty", dirty_memory },   { "mappings", make_mappings },
		{ "pipes", make_pipes },     { "files", open_files },
		{ "unix", make_socketpairs }, { "tcp", connect_to_outside },
	};
	struct timespec tick = { .tv_nsec = 2000000 };
	struct control *c;

	if (argc != 4)
		return 2;
	c = open_control(argv[1]);
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		if (strcmp(argv[2], shapes[i].name) == 0)
			shapes[i].make(atol(argv[3]));
	c->ready = 1;
	while (1) {
		spin(c);
		c->beats++;
		nanosleep(&tick, NULL);
	}
}
