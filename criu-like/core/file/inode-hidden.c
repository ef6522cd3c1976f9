/*
 * Files whose name is hidden: something was mounted over a directory of it after it was opened. No
 * path leads there, so a process with a copy of the mounts takes them off one by one, the deepest
 * on the way to the file first, until the name leads to the file again. Nobody else sees that copy.
 *
 * What it finds lies on the copy of the mount. The file's handle, opened through a directory above
 * it that can still be reached on the same mount, gives a description on the mount itself, with the
 * text of its link. Where that is impossible (the mount is covered as a whole, or the file system
 * has no handles), the file is refused.
 */
#include <errno.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mount.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/build/stand-in.h"
#include "core/file/inode-space.h"
#include "kernel/descriptor.h"

enum { MOUNTS_MAX = 64, PATH_BYTES = 4200, HANDLE_BYTES = 128 };

struct hidden {
	const char *path;
	uint64_t dev, ino;
	int to; /* a placeholder that the found file replaces */
};

struct handle {
	uint32_t bytes;
	int32_t type;
	unsigned char f[HANDLE_BYTES];
};

/* Takes off the deepest mount on the way; -ENOENT: there is none. */
static int uncover(const char *path)
{
	char at[PATH_BYTES];
	size_t len = strlen(path);

	if (len >= sizeof(at))
		return -ENAMETOOLONG;
	memcpy(at, path, len + 1);
	while (len > 1) {
		if (!sys(SYS_umount2, at, MNT_DETACH | UMOUNT_NOFOLLOW))
			return 0;
		while (len > 1 && at[--len] != '/')
			;
		at[len] = 0;
	}
	return -ENOENT;
}

static bool is_it(const struct hidden *h, int fd)
{
	struct stat st;

	return !sys_stat(fd, "", 0, &st, NULL) && st.st_dev == h->dev && st.st_ino == h->ino;
}

/* In a process of its own. What is not found leaves the placeholder as it is. */
static int search(void *arg)
{
	const struct hidden *h = arg;
	int r = (int)sys(SYS_unshare, CLONE_NEWNS);

	r = r ?: (int)sys(SYS_mount, "none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	r = r ?: uncover(h->path);
	for (int i = 0; i < MOUNTS_MAX && !r; i++) {
		int fd = sys_openat(AT_FDCWD, h->path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
		bool found = fd >= 0 && is_it(h, fd);

		if (found)
			(void)sys_dup3(fd, h->to, O_CLOEXEC); /* looked at by the maker */
		if (fd >= 0)
			(void)sys_close(fd); /* the table is shared with the tool */
		if (found)
			break;
		r = uncover(h->path);
	}
	return 0;
}

/* The file as O_PATH, on a copy of its mount; or -errno. */
static int find(const char *path, uint64_t dev, uint64_t ino)
{
	_close_ int to = sys_openat(AT_FDCWD, "/", O_PATH | O_CLOEXEC, 0);
	struct hidden h = { path, dev, ino, to };
	int r = to < 0 ? to
		       : stand_in_run(&(struct stand_in){
				 .uid = (uid_t)-1, .gid = (gid_t)-1, .inside = search, .arg = &h });

	return r ? r : is_it(&h, to) ? take_fd(&to) : -ENOENT;
}

/* The deepest directory on the way that is on the same file system. */
static int directory_above(const char *path, uint64_t dev)
{
	char at[PATH_BYTES];
	size_t len = strlen(path);
	struct stat st;

	if (len >= sizeof(at))
		return -ENAMETOOLONG;
	memcpy(at, path, len + 1);
	while (len > 0) {
		int fd;

		while (len > 0 && at[--len] != '/')
			;
		at[len] = 0;
		fd = sys_openat(AT_FDCWD, len ? at : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
		if (fd >= 0 && !sys_stat(fd, "", 0, &st, NULL) && st.st_dev == dev)
			return fd;
		fd_close(&fd);
	}
	return -ENOENT;
}

/* On the mount itself; or -errno. */
static int open_there(const char *path, uint64_t dev, int file, int flags)
{
	_close_ int above = directory_above(path, dev), fd = -1;
	struct handle h = { .bytes = HANDLE_BYTES };
	char text[PATH_BYTES], link[64];
	int32_t mount;
	int r = above < 0 ? above
			  : (int)sys(SYS_name_to_handle_at, file, "", &h, &mount, AT_EMPTY_PATH);

	if (r)
		return r;
	fd = (int)sys(SYS_open_by_handle_at, above, &h, flags | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fd;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd); /* always fits */
	r = sys_readlink(AT_FDCWD, link, text, sizeof(text));
	return r < 0 ? r : strcmp(text, path) ? -ESTALE : take_fd(&fd);
}

int hidden_open(const char *path, uint64_t dev, uint64_t ino, int flags)
{
	_close_ int file = find(path, dev, ino);

	return file < 0 ? file : open_there(path, dev, file, flags);
}
