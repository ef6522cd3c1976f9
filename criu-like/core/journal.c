/*
 * A text file, one line per event: `add N unlink PATH` (rmdir, remap, ipc, swap likewise), `made N
 * DEV INO`, `done N`. Newlines and backslashes of paths are written in octal. A line that a crash
 * cut short was followed by no change, so it is ignored. An entry whose file was never seen (`made`
 * is missing) is undone only while what is there is empty: the crash came between making and
 * filling it.
 */
#include "core/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>

#include "base/err.h"
#include "base/fd.h"
#include "base/io.h"
#include "base/log.h"
#include "base/vec.h"
#include "kernel/descriptor.h"
#include "kernel/proc.h"

enum { RENAME_KEEP = 1, RENAME_SWAP = 2 }; /* RENAME_NOREPLACE, RENAME_EXCHANGE */

static const char file_name[] = "journal";
static const char *const op_name[] = { "unlink", "rmdir", "remap", "ipc", "swap" };

struct entry {
	enum journal_op op;
	const char *path;
	bool made, done;
	uint64_t dev, ino;
};
struct journal {
	struct arena *arena;
	int work_fd, fd;
	bool sync;
	VEC(struct entry) entry; /* index: number */
};

struct journal *journal_new(struct arena *a, int work_fd, bool sync)
{
	struct journal *j = arena_new(a, struct journal);

	*j = (struct journal){ .arena = a, .work_fd = work_fd, .fd = -1, .sync = sync };
	return j;
}

/*
 * A run holds its journal locked, so that nobody undoes what is still wanted. The lock is the
 * process' own: the tasks that it forks do not keep it when it dies.
 */
static int lock(int fd)
{
	const struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	long r = sys(SYS_fcntl, fd, F_SETLK, &l);

	if (r == -EAGAIN || r == -EACCES)
		return fail(-EBUSY, "another run is at work in this directory (journal)");
	/* Some filesystems have no locks. */
	return r == -ENOLCK || r == -EINVAL || r == -ENOSYS ? 0 : (int)r;
}

static int put(struct journal *j, const char *line)
{
	int r = 0;

	if (j->fd < 0) {
		j->fd = sys_openat(j->work_fd, file_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
				   0600);
		r = j->fd < 0 ? j->fd : lock(j->fd);
		if (r == -EBUSY)
			fd_close(&j->fd);
	}
	if (r == -EBUSY)
		return r;
	if (!r)
		r = io_write(j->fd, line, strlen(line));
	return r ? fail(r, "write the journal") : 0;
}

static char *escape(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, 4 * strlen(path) + 1), *p = out;

	for (; *path; path++) {
		if (*path != '\n' && *path != '\\')
			*p++ = *path;
		else
			p += snprintf(p, 5, "\\%03o", *path);
	}
	return out;
}

int journal_add(struct journal *j, enum journal_op op, const char *path, uint32_t *ret)
{
	uint32_t id = (uint32_t)j->entry.n;
	int r = put(j, arena_printf(j->arena, "add %" PRIu32 " %s %s\n", id, op_name[op],
				    escape(j->arena, path)));

	if (r)
		return r;
	r = j->sync ? (int)sys(SYS_fdatasync, j->fd) : 0;
	if (r && r != -EINVAL)
		return fail(r, "write the journal");
	*vec_push(j->arena, &j->entry) =
		(struct entry){ .op = op, .path = arena_strdup(j->arena, path) };
	*ret = id;
	return 0;
}

int journal_made(struct journal *j, uint32_t id, const struct stat *st)
{
	struct entry *e = &j->entry.v[id];

	e->made = true;
	e->dev = st->st_dev;
	e->ino = st->st_ino;
	return put(j, arena_printf(j->arena, "made %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", id,
				   e->dev, e->ino));
}

int journal_done(struct journal *j, uint32_t id)
{
	j->entry.v[id].done = true;
	return put(j, arena_printf(j->arena, "done %" PRIu32 "\n", id));
}

/* 0: not known. */
static uint64_t ipc_namespace(void)
{
	struct stat st;

	return sys_stat(AT_FDCWD, "/proc/self/ns/ipc", 0, &st, NULL) ? 0 : st.st_ino;
}

int journal_add_ipc(struct journal *j, const char *what, int id, uint32_t *ret)
{
	return journal_add(j, JOURNAL_IPC,
			   arena_printf(j->arena, "%s %d %" PRIu64, what, id, ipc_namespace()),
			   ret);
}

/* It may not exist yet; another namespace, or another boot, has nothing to do with it. */
static int remove_ipc(const struct entry *e)
{
	struct span text = { e->path, strlen(e->path) }, what, number;
	uint64_t ns = 0, id = 0;
	long r;

	if (!span_cut(&text, ' ', &what) || !span_cut(&text, ' ', &number) ||
	    span_u64(number, 10, &id) || span_u64(text, 10, &ns) || !ns || ns != ipc_namespace())
		return 0;
	if (span_eq(what, "shm"))
		r = sys(SYS_shmctl, id, IPC_RMID, 0);
	else if (span_eq(what, "sem"))
		r = sys(SYS_semctl, id, 0, IPC_RMID, 0);
	else
		r = sys(SYS_msgctl, id, IPC_RMID, 0);
	return !r || r == -EINVAL || r == -EIDRM ? 0
						 : fail(r, "remove System V object %s", e->path);
}

/*
 * The file that had to leave its name for a moment returns to it. What is there now, the deleted
 * file as a rule, takes its place and is removed by the entry before.
 */
static int move_back(struct arena *a, const struct entry *e)
{
	const char *mark = strstr(e->path, ".torpor-"), *next, *name;
	long r;

	while (mark && (next = strstr(mark + 1, ".torpor-")))
		mark = next;
	if (!mark || !e->made)
		return 0;
	name = arena_strndup(a, e->path, (size_t)(mark - e->path));
	r = sys(SYS_renameat2, AT_FDCWD, e->path, AT_FDCWD, name, RENAME_SWAP);
	if (r == -ENOENT)
		r = sys(SYS_renameat2, AT_FDCWD, e->path, AT_FDCWD, name, RENAME_KEEP);
	return r ? fail(r, "move '%s' back to its name", e->path) : 0;
}

static int undo(struct arena *a, struct entry *e)
{
	struct stat st;
	int r;

	if (e->op == JOURNAL_IPC)
		return remove_ipc(e);
	r = sys_stat(AT_FDCWD, e->path, AT_SYMLINK_NOFOLLOW, &st, NULL);
	if (r == -ENOENT)
		return 0;
	if (r)
		return fail(r, "look at '%s' that an interrupted run made", e->path);
	if (e->made ? st.st_dev != e->dev || st.st_ino != e->ino
		    : S_ISREG(st.st_mode) && st.st_size)
		return 0; /* somebody else's by now */
	if (e->op == JOURNAL_SWAP)
		return move_back(a, e);
	r = sys_unlinkat(AT_FDCWD, e->path, e->op == JOURNAL_RMDIR ? AT_REMOVEDIR : 0);
	if (r == -ENOTEMPTY || r == -ENOENT)
		return 0; /* it is used by others now, or gone */
	return r ? fail(r, "remove '%s'", e->path) : 0;
}

int journal_undo(struct journal *j)
{
	int first = 0;

	for (size_t i = j->entry.n; i-- > 0;) {
		int r = j->entry.v[i].done ? 0 : undo(j->arena, &j->entry.v[i]);

		if (!r && !j->entry.v[i].done)
			r = journal_done(j, (uint32_t)i);
		first = first ? first : r;
	}
	return first;
}

void journal_close(struct journal *j)
{
	bool open = false;

	vec_foreach(e, &j->entry)
		open |= !e->done;
	if (j->fd >= 0 && !open)
		(void)sys_unlinkat(j->work_fd, file_name,
				   0); /* a journal of things done harms nobody */
	fd_close(&j->fd);
	j->entry.n = 0;
}

/* --- reading an old one --------------------------------------------------------------------------
 */

static void parse_add(struct journal *j, struct span line, uint32_t id)
{
	struct span op;

	if (id != j->entry.n || !span_cut(&line, ' ', &op))
		return;
	for (size_t i = 0; i < array_size(op_name); i++)
		if (span_eq(op, op_name[i]))
			*vec_push(j->arena, &j->entry) =
				(struct entry){ .op = (enum journal_op)i,
						.path = proc_unescape(j->arena, line, "\n\\") };
}

static void parse_made(struct entry *e, struct span line)
{
	struct span dev, ino;

	if (span_word(&line, &dev) && span_word(&line, &ino) && !span_u64(dev, 10, &e->dev) &&
	    !span_u64(ino, 10, &e->ino))
		e->made = true;
}

static void parse_line(struct journal *j, struct span line)
{
	struct span verb, number;
	uint32_t id;

	if (!span_cut(&line, ' ', &verb))
		return;
	if (!span_cut(&line, ' ', &number)) {
		number = line;
		line.len = 0;
	}
	if (span_u32(number, 10, &id))
		return;
	if (span_eq(verb, "add"))
		parse_add(j, line, id);
	else if (id < j->entry.n && span_eq(verb, "made"))
		parse_made(&j->entry.v[id], line);
	else if (id < j->entry.n && span_eq(verb, "done"))
		j->entry.v[id].done = true;
}

/* A dump that was killed right behind its commit: the names belong to that checkpoint. */
static int keep_committed(struct journal *j)
{
	struct stat st;
	int r = sys_stat(j->work_fd, "commit.img", 0, &st, NULL);

	if (r == -ENOENT)
		return 0;
	if (r)
		return fail(r, "look for the commit record");
	vec_foreach(e, &j->entry)
		e->done = e->done || e->op == JOURNAL_REMAP;
	return 0;
}

int journal_recover(struct arena *a, int work_fd)
{
	struct journal *j = journal_new(a, work_fd, false);
	struct span text, line;
	int r = io_slurp_at(a, work_fd, file_name, &text), n = 0;

	if (r)
		return r == -ENOENT ? 0 : fail(r, "read the journal");
	while (span_cut(&text, '\n', &line))
		parse_line(j, line);
	r = keep_committed(j);
	if (r)
		return r;
	vec_foreach(e, &j->entry)
		n += !e->done;
	j->fd = sys_openat(work_fd, file_name, O_WRONLY | O_APPEND | O_CLOEXEC, 0);
	if (j->fd < 0)
		return fail(j->fd, "open the journal");
	r = lock(j->fd);
	if (r) {
		fd_close(&j->fd);
		return r == -EBUSY ? r : fail(r, "lock the journal");
	}
	r = journal_undo(j);
	if (!r)
		log_info("undid %d changes of an interrupted run", n);
	journal_close(j);
	return r ? r : n;
}
