/*
 * Answers of the kernel that wait in netlink sockets of the tree at the stop. Nobody can put them
 * back into a queue, but a program in the middle of a question reads them within microseconds.
 *
 * /proc/net/netlink tells of all sockets what waits (Rmem) and whether the kernel is in the middle
 * of a list (Dump), without their descriptors: programs open some for one question only. Whose they
 * are is asked only if anything waits anywhere. It tells of the tool's network namespace; what the
 * kind finds waiting elsewhere, or after the patience ended, is refused there by name.
 */
#include "core/stop/netlink-wait.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "kernel/descriptor.h"
#include "kernel/proc-list.h"

enum { COLUMNS = 10, RMEM = 4, DUMP = 6, INODE = 9 };

static void read_line(struct span line, struct netlink_waiting *ret)
{
	uint64_t number[COLUMNS] = { 0 };
	struct span word;

	for (int i = 0; i < COLUMNS; i++) {
		if (!span_word(&line, &word))
			return;
		if ((i == RMEM || i == DUMP || i == INODE) && span_u64(word, 10, &number[i]))
			return; /* the heading */
	}
	if ((number[RMEM] || number[DUMP]) && number[INODE] && ret->n < array_size(ret->inode))
		ret->inode[ret->n++] = number[INODE];
}

void netlink_waiting(struct dump *d, struct netlink_waiting *ret)
{
	struct span text, line;

	ret->n = 0;
	if (io_slurp_at(&d->arena, AT_FDCWD, "/proc/net/netlink", &text))
		return; /* a kernel without netlink, or the kind will tell */
	while (span_line(&text, &line))
		read_line(line, ret);
}

static bool is_waiting(const struct netlink_waiting *w, const char *link)
{
	uint64_t inode;

	if (sscanf(link, "socket:[%" SCNu64 "]", &inode) != 1)
		return false;
	for (size_t i = 0; i < w->n; i++)
		if (w->inode[i] == inode)
			return true;
	return false;
}

bool netlink_waits_for(struct dump *d, const struct task *t, const struct netlink_waiting *w)
{
	_close_ int dir = sys_openat(t->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct proc_list number;
	char name[16], link[64];

	if (dir < 0 || proc_list_dir(&d->arena, dir, &number))
		return false; /* whatever is wrong with it, the dump of descriptors will say */
	for (size_t i = 0; i < number.n; i++) {
		(void)snprintf(name, sizeof(name), "%d", number.v[i]); /* always fits */
		if (sys_readlink(dir, name, link, sizeof(link)) >= 0 && is_waiting(w, link))
			return true;
	}
	return false;
}
