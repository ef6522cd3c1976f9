/*
 * Files that no restore could make again, known by the text of their link, and the look at them
 * before anything is stopped: a dump that cannot succeed shall not stop a program at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "core/file/file-space.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"
#include "kernel/numbers.h"

static const struct opaque {
	const char *prefix, *reason, *remedy;
} opaque[] = {
	{ "anon_inode:[io_uring]", "rings of io_uring live in the kernel only",
	  "close the ring before the dump, or run the program without io_uring" },
	{ "anon_inode:[perf_event]", "performance counters cannot be set",
	  "close it before the dump" },
	{ "anon_inode:bpf", "programs and maps in the kernel cannot be saved",
	  "unload it before the dump" },
	{ "anon_inode:[userfaultfd]", "it is bound to the memory it watches",
	  "close it before the dump" },
	{ "anon_inode:[fanotify]", "marks of fanotify cannot be saved",
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

static void look_at_descriptors(struct dump *d, pid_t pid, int fd_dir)
{
	unsigned int *number;
	char name[16], link[4097];
	size_t n;

	if (numbers_list(&d->arena, fd_dir, &number, &n))
		return; /* it may exit while we look: the stop decides */
	for (size_t i = 0; i < n; i++) {
		const char *remedy = NULL, *reason;

		(void)snprintf(name, sizeof(name), "%u", number[i]); /* always fits */
		reason = sys_readlink(fd_dir, name, link, sizeof(link)) < 0
				 ? NULL
				 : opaque_reason(link, &remedy);
		if (reason)
			(void)refuse(&d->blockers, pid,
				     arena_printf(&d->arena, "descriptor %s (%s)", name, link),
				     reason, remedy); /* collected; the phase ends with the list */
	}
}

struct pid_list {
	VEC(pid_t) pid;
};

static void look_at_children(struct dump *d, int dir, struct pid_list *todo)
{
	unsigned int *tid;
	size_t n;
	_close_ int tasks = sys_openat(dir, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

	if (tasks < 0 || numbers_list(&d->arena, tasks, &tid, &n))
		return;
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(&d->arena, "%u/children", tid[i]);
		struct span text, word;
		uint32_t pid;

		if (io_slurp_at(&d->arena, tasks, path, &text))
			continue;
		while (span_word(&text, &word))
			if (!span_u32(word, 10, &pid))
				*vec_push(&d->arena, &todo->pid) = (pid_t)pid;
	}
}

int files_look(struct dump *d)
{
	struct pid_list todo = { 0 };

	*vec_push(&d->arena, &todo.pid) = d->opt->pid;
	for (size_t i = 0; i < todo.pid.n; i++) {
		const char *path = arena_printf(&d->arena, "/proc/%d", todo.pid.v[i]);
		_close_ int dir = sys_openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		_close_ int fds =
			dir < 0 ? -1 : sys_openat(dir, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

		if (fds < 0)
			continue;
		look_at_descriptors(d, todo.pid.v[i], fds);
		look_at_children(d, dir, &todo);
	}
	return d->blockers.list.n ? -ENOTSUP : 0;
}
