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
					     !strncmp(link, "/memfd:", 7));
}

static int look_at_descriptors(struct dump *d, const struct task *t, int fd_dir)
{
	struct proc_list number;
	char name[16], link[4097];
	int r = 0;

	if (proc_list_dir(&d->arena, fd_dir, &number))
		return 0; /* it may exit while we look: the stop decides */
	for (size_t i = 0; i < number.n; i++) {
		int e;

		(void)snprintf(name, sizeof(name), "%d", number.v[i]); /* always fits */
		if (sys_readlink(fd_dir, name, link, sizeof(link)) < 0 || !worth_a_look(link))
			continue;
		e = file_look_at(d, t, (unsigned int)number.v[i]);
		r = r && r != -ENOTSUP ? r : e ?: r;
	}
	return r;
}

int files_look(struct dump *d)
{
	int r = file_policy_check(d);

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
	file_look_end(d);
	return r;
}
