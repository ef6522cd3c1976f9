/*
 * Objects that tell about files, and rings: unread events of inotify, marks of fanotify, leases, an
 * idle ring of io_uring, a map of BPF.
 */
#include "factory.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static void make_unread(struct object *o)
{
	char moved[sizeof(o->name) + 8];

	o->fd[0] = must(inotify_init1(IN_NONBLOCK));
	must(mkdir(o->name, 0700));
	o->note[0] = must(inotify_add_watch(o->fd[0], o->name, IN_MOVE_SELF | IN_ATTRIB));
	must(chmod(o->name, 0711));
	must(chmod(o->name, 0700));
	snprintf(moved, sizeof(moved), "%s-moved", o->name);
	must(rename(o->name, moved));
	memcpy(o->name, moved, sizeof(o->name));
}

static void check_unread(struct object *o)
{
	struct inotify_event e[4] = {{0}};

	check(read(o->fd[0], e, sizeof(e)) == 2 * sizeof(*e));
	check(e[0].wd == o->note[0] && e[0].mask == (IN_ATTRIB | IN_ISDIR), "%#x", e[0].mask);
	check(e[1].wd == o->note[0] && e[1].mask == IN_MOVE_SELF, "%#x", e[1].mask);
	check(!chmod(o->name, 0711) && read(o->fd[0], e, sizeof(e)) == sizeof(*e));
}

static void make_fanotify(struct object *o)
{
	o->fd[0] = fanotify_init(FAN_NONBLOCK | FAN_CLOEXEC, O_RDONLY);
	if (o->fd[0] < 0)
		skip("no fanotify: %s", strerror(errno));
	must(close(must(open(o->name, O_CREAT | O_WRONLY, 0600))));
	must(fanotify_mark(o->fd[0], FAN_MARK_ADD, FAN_MODIFY | FAN_CLOSE_WRITE, AT_FDCWD,
			   o->name));
}

static void check_fanotify(struct object *o)
{
	struct fanotify_event_metadata e;
	int fd;

	check(read(o->fd[0], &e, sizeof(e)) < 0 && errno == EAGAIN, "an event nobody caused");
	fd = must(open(o->name, O_WRONLY));
	check(write(fd, "x", 1) == 1);
	check(read(o->fd[0], &e, sizeof(e)) == sizeof(e) && e.mask == FAN_MODIFY);
	check(!close(e.fd) && !close(fd));
}

static void make_lease(struct object *o)
{
	o->fd[0] = must(open(o->name, O_CREAT | O_RDWR, 0600));
	must(fcntl(o->fd[0], F_SETLEASE, F_WRLCK));
}

static void check_lease(struct object *o)
{
	check(fcntl(o->fd[0], F_GETLEASE) == F_WRLCK);
	check(!fcntl(o->fd[0], F_SETLEASE, F_UNLCK));
}

static void make_ring(struct object *o)
{
	struct io_uring_params p = {0};
	struct io_uring_sqe *sqe;
	uint8_t *rings;

	o->fd[0] = (int)syscall(SYS_io_uring_setup, 8, &p);
	if (o->fd[0] < 0)
		skip("no io_uring: %s", strerror(errno));
	rings = must_ptr(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd[0], 0));
	sqe = must_ptr(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd[0],
			    IORING_OFF_SQES));
	for (unsigned int i = 0; i < 8; i++) {
		((uint32_t *)(rings + p.sq_off.array))[i] = i;
		sqe[i].user_data = o->seed + i;
	}
	*(uint32_t *)(rings + p.sq_off.tail) = 8;
	must_true(syscall(SYS_io_uring_enter, o->fd[0], 8, 8, IORING_ENTER_GETEVENTS, NULL, 0) ==
		  8);
	*(uint32_t *)(rings + p.sq_off.tail) = 9;
	must_true(syscall(SYS_io_uring_enter, o->fd[0], 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) ==
		  1);
	o->note[0] = (long)(rings + p.cq_off.cqes);
	o->note[1] = (long)rings;
	o->note[2] = p.sq_off.tail;
}

static void check_ring(struct object *o)
{
	struct io_uring_cqe *cqe = (void *)o->note[0];
	uint32_t *tail = (void *)(o->note[1] + o->note[2]);

	check(cqe[8].user_data == o->seed && cqe[7].user_data == o->seed + 7);
	check(*tail == 9);
	*tail = 10;
	check(syscall(SYS_io_uring_enter, o->fd[0], 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	check(cqe[9].user_data == o->seed + 1);
}

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static void make_map(struct object *o)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH, .key_size = 8, .value_size = 8,
			       .max_entries = 10};

	o->fd[0] = bpf(BPF_MAP_CREATE, &attr);
	if (o->fd[0] < 0)
		skip("no maps: %s", strerror(errno));
	attr = (union bpf_attr){.map_fd = (uint32_t)o->fd[0], .key = (uintptr_t)&o->seed,
				.value = (uintptr_t)&(uint64_t){o->seed * 3}};
	must(bpf(BPF_MAP_UPDATE_ELEM, &attr));
}

static void check_map(struct object *o)
{
	uint64_t value = 0;
	union bpf_attr attr = {.map_fd = (uint32_t)o->fd[0], .key = (uintptr_t)&o->seed,
			       .value = (uintptr_t)&value};

	check(!bpf(BPF_MAP_LOOKUP_ELEM, &attr) && value == o->seed * 3);
}

const struct factory notify_factories[] = {
	{"inotify-unread", make_unread, check_unread, NULL},
	{"fanotify", make_fanotify, check_fanotify, NULL},
	{"lease", make_lease, check_lease, NULL},
	{"io_uring", make_ring, check_ring, NULL},
	{"bpf_map", make_map, check_map, NULL},
	{0},
};
