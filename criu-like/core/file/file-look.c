/*
 * Files that no restore could make again, known by the text of their link, and the look at them
 * before anything is stopped: a dump that cannot succeed shall not stop a program at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/file-space.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"

static const struct opaque {
	const char *prefix, *reason, *remedy;
} opaque[] = {
	{ "anon_inode:[perf_event]", "performance counters cannot be set",
	  "close it before the dump" },
	{ "anon_inode:bpf", "programs in the kernel cannot be saved",
	  "unload it before the dump" },
	{ "anon_inode:[userfaultfd]", "it is bound to the memory it watches",
	  "close it before the dump" },
	{ "anon_inode:kvm", "virtual machines cannot be saved",
	  "save the machine with its own tool" },
	{ "anon_inode:[landlock-ruleset]", "its rules cannot be read", "close it before the dump" },
	{ "anon_inode:seccomp notify", "a supervisor's channel cannot be made again",
	  "end the supervision before the dump" },
	{ "anon_inode:[fscontext]", "a file system being configured cannot be saved",
	  "finish the mount before the dump" },
	{ "anon_inode:[vfio", "the state of devices cannot be saved", "close it before the dump" },
	{ "/dev/nvidia", "the state of devices cannot be saved", "close it before the dump" },
	{ "/dev/dri/", "the state of devices cannot be saved", "close it before the dump" },
	{ "/dev/kfd", "the state of devices cannot be saved", "close it before the dump" },
	{ "/dev/fuse", "the connection of a file server lives in the kernel",
	  "unmount its file system before the dump" },
	{ "/dev/userfaultfd", "what is made from it is bound to memory",
	  "close it before the dump" },
	{ "/dev/cpu_dma_latency", "the latency that it asks for cannot be read back safely",
	  "close it before the dump" },
	{ "/dev/vhost-", "a virtual machine's devices cannot be saved",
	  "save the machine with its own tool" },
};

const char *opaque_reason(const char *link, const char **ret_remedy)
{
	for (size_t i = 0; i < array_size(opaque); i++)
		if (!strncmp(link, opaque[i].prefix, strlen(opaque[i].prefix))) {
			*ret_remedy = opaque[i].remedy;
			return opaque[i].reason;
		}
	return NULL;
}

/* What the text alone does not tell to be savable: not a file of a file system, not a pipe. */
static bool worth_a_look(const char *link)
{
	return strncmp(link, "pipe:", 5) && (*link != '/' || !strncmp(link, "/dev/", 5) ||
					     !strncmp(link, "/secretmem", 10));
}

struct file_look { /* one process */
	struct proc_list number;
	const char **link; /* parallel; NULL: no name */
};
struct file_looks {
	struct map by_pid;
};

static struct file_look *looks_add(struct dump *d, pid_t pid, const struct proc_list *number)
{
	struct file_look *l = arena_new(&d->arena, struct file_look);

	if (!d->looks) {
		d->looks = arena_new(&d->arena, struct file_looks);
		map_init(&d->looks->by_pid, &d->arena);
	}
	l->number = *number;
	l->link = arena_array(&d->arena, const char *, number->n);
	map_put(&d->looks->by_pid, (uint64_t)pid, 0, l);
	return l;
}

static const struct file_look *look_of(const struct dump *d, pid_t pid)
{
	return d->looks ? map_get(&d->looks->by_pid, (uint64_t)pid, 0) : NULL;
}

const struct proc_list *look_numbers(const struct dump *d, pid_t pid)
{
	const struct file_look *l = look_of(d, pid);

	return l ? &l->number : NULL;
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

const char *look_link(struct dump *d, const struct fd_probe *p)
{
	const struct file_look *l = look_of(d, p->task->pid);
	const char *link;
	uint32_t mnt_id = 0;
	struct stat st;
	const int *at;

	if (!l || !l->number.n || !S_ISREG(p->st.st_mode) || p->st.st_nlink != 1)
		return NULL;
	at = bsearch(&p->number, l->number.v, l->number.n, sizeof(*at), by_number);
	link = at ? l->link[at - l->number.v] : NULL;
	if (!link || sys_stat(AT_FDCWD, link, AT_SYMLINK_NOFOLLOW, &st, &mnt_id))
		return NULL;
	return st.st_ino == p->st.st_ino && st.st_dev == p->st.st_dev && mnt_id &&
			       mnt_id == p->mnt_id
		       ? link
		       : NULL;
}

static int look_at_descriptors(struct dump *d, const struct task *t, int fd_dir)
{
	struct proc_list number;
	struct file_look *seen;
	char name[16], link[4097];
	int r = 0;

	if (proc_list_dir(&d->arena, fd_dir, &number))
		return 0; /* it may exit while we look: the stop decides */
	seen = looks_add(d, t->pid, &number);
	for (size_t i = 0; i < number.n; i++) {
		int e;

		(void)snprintf(name, sizeof(name), "%d", number.v[i]); /* always fits */
		if (sys_readlink(fd_dir, name, link, sizeof(link)) < 0)
			continue;
		if (*link == '/')
			seen->link[i] = arena_strdup(&d->arena, link);
		if (!worth_a_look(link))
			continue;
		e = file_look_at(d, t, (unsigned int)number.v[i]);
		r = r && r != -ENOTSUP ? r : e ?: r;
	}
	return r;
}

int files_look(struct dump *d)
{
	int r = file_policy_check(d), last;

	if (r)
		return r;

	vec_foreach(pid, &d->seen) {
		const char *path = arena_printf(&d->arena, "/proc/%d", *pid);
		_close_ int dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		_close_ int fds = dir < 0 ? -1
					  : sys_openat(dir, "fd",
						       O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		_close_ int pidfd = (int)sys(SYS_pidfd_open, *pid, 0);
		struct task *t = arena_new(&d->arena, struct task);
		int e;

		*t = (struct task){ .pid = *pid, .proc_fd = dir, .pidfd = pidfd };
		e = fds < 0 || pidfd < 0 ? 0 : look_at_descriptors(d, t, fds);
		r = r && r != -ENOTSUP ? r : e ?: r;
	}
	last = file_look_end(d);
	return r && r != -ENOTSUP ? r : last ?: r;
}
