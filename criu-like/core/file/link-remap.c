/*
 * Files that lost the name they were opened by while other names exist somewhere.
 *
 * Nothing tells these other names. One is often near: a file is made under a temporary name, linked
 * to its final one and unlinked (sem_open(3) does that), so the directory of the lost name is
 * searched. If nothing is found there, the dump gives the file one more link beside the lost name;
 * that changes the file system and is done only with --link-remap, in the journal first. A restore
 * links the lost name to the one that is there for as long as descriptions are opened, and removes
 * it, and the link of the dump, once the tasks run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "core/file/inode-find.h"
#include "core/file/inode-space.h"
#include "core/journal.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

/* --- dump ----------------------------------------------------------------------------------------
 */

#define LINK_NAME "/.torpor-link-"

/* A restore removes the link in the end: no image shall have it remove another file. */
static bool is_link_name(const char *path)
{
	return inode_is_name(path) &&
	       !strncmp(strrchr(path, '/'), LINK_NAME, strlen(LINK_NAME));
}

static int link_here(const struct inode_look *l, const char *name)
{
	char own[32];
	int r = (int)sys(SYS_linkat, l->fd, "", AT_FDCWD, name, AT_EMPTY_PATH);

	if (r != -ENOENT)
		return r; /* -ENOENT: also without CAP_DAC_READ_SEARCH */
	(void)snprintf(own, sizeof(own), "/proc/self/fd/%d", l->fd); /* always fits */
	return (int)sys(SYS_linkat, AT_FDCWD, own, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

static const char *free_name(struct dump *d, const struct inode_look *l, uint32_t id)
{
	const char *base = strrchr(l->path, '/');
	size_t len = base == l->path ? 1 : (size_t)(base - l->path);
	const char *dir = arena_strndup(&d->arena, l->path, len), *name;
	struct stat st;

	while (len > 1 && sys_stat(AT_FDCWD, dir, 0, &st, NULL)) {
		while (len > 1 && dir[--len] != '/')
			continue;
		dir = arena_strndup(&d->arena, dir, len > 1 ? len : 1);
	}
	do
		name = arena_printf(&d->arena, "%s" LINK_NAME "%d-%" PRIu32, len > 1 ? dir : "",
				    d->opt->pid, id++);
	while (!sys_stat(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &st, NULL));
	return name;
}

struct handle {
	struct file_handle head;
	unsigned char bytes[MAX_HANDLE_SZ];
};

static void add_handle(struct dump *d, const struct inode_look *l, LinkRemap *m)
{
	struct handle *h = arena_new(&d->arena, struct handle);
	int mount;

	h->head.handle_bytes = MAX_HANDLE_SZ;
	if (sys(SYS_name_to_handle_at, l->fd, "", h, &mount, AT_EMPTY_PATH))
		return; /* a file system without handles: the link alone must do */
	m->has_handle_type = m->has_handle = true;
	m->handle_type = h->head.handle_type;
	m->handle = (ProtobufCBinaryData){ h->head.handle_bytes, h->head.f_handle };
}

static int record(struct dump *d, const struct inode_look *l, uint32_t id, LinkRemap *m)
{
	struct inode_space *s = d->inodes;
	int r = s->remap_image ? 0 : image_create(d->set, "link_remap", &s->remap_image);

	m->original = (char *)l->path;
	m->dev = l->st.st_dev;
	m->ino = l->st.st_ino;
	return r ? r : image_append(s->remap_image, id, &m->base);
}

static int make(struct dump *d, const struct inode_look *l, uint32_t id)
{
	struct inode_space *s = d->inodes;
	const char *name = free_name(d, l, id);
	LinkRemap m = LINK_REMAP__INIT;
	uint32_t entry;
	int r;

	if (!d->journal) {
		(void)journal_recover(&d->arena, d->opt->work_fd); /* reported */
		d->journal = journal_new(&d->arena, d->opt->work_fd, !d->opt->no_sync);
	}
	r = journal_add(d->journal, JOURNAL_REMAP, name, &entry);
	if (r)
		return r;
	*vec_push(&d->arena, &s->remap_entry) = entry;
	r = link_here(l, name);
	if (r)
		return fail(r, "link '%s' to '%s'", l->link, name);
	r = journal_made(d->journal, entry, &l->st);
	m.path = (char *)name;
	add_handle(d, l, &m);
	return r ? r : record(d, l, id, &m);
}

/* Beside the lost name; NULL: none. The link of another checkpoint will go away. */
static const char *find_other(struct dump *d, const struct inode_look *l)
{
	const char *base = strrchr(l->path, '/');
	size_t len = base == l->path ? 1 : (size_t)(base - l->path);
	const char *name = inode_name_in(d, arena_strndup(&d->arena, l->path, len), &l->st);

	return !name || is_link_name(name) ? NULL : name;
}

static int use_other(struct dump *d, const struct inode_look *l, uint32_t id, const char *name)
{
	LinkRemap m = LINK_REMAP__INIT;

	m.path = (char *)name;
	m.has_found = m.found = true;
	return record(d, l, id, &m);
}

int remap_dump(struct dump *d, const struct inode_look *l, uint32_t *ret_id)
{
	struct inode_space *s = inode_space_of(d);
	uintptr_t id = (uintptr_t)map_get(&s->remap_of, l->st.st_dev, l->st.st_ino);
	const char *other = id || d->opt->link_remap ? NULL : find_other(d, l);
	int r = 0;

	if (!id && !other && !d->opt->link_remap)
		return inode_refuse(
			d, l, "this name is deleted, but the file has others that cannot be found",
			"--link-remap gives it one more until it is restored");
	if (!id) {
		id = ++s->n_remap;
		map_put(&s->remap_of, l->st.st_dev, l->st.st_ino, (void *)id);
		r = other ? use_other(d, l, (uint32_t)id - 1, other)
			  : make(d, l, (uint32_t)id - 1);
	}
	if (!r)
		*ret_id = (uint32_t)id - 1;
	return r;
}

/* --- restore -------------------------------------------------------------------------------------
 */

struct remap_file *remap_find(const struct inode_space *s, uint32_t id)
{
	vec_foreach(m, &s->remap)
		if (m->id == id)
			return m;
	return NULL;
}

/* The inode by its handle, while it has any name; an earlier restore removed the link. */
static int open_handle(struct restore *r, const LinkRemap *l)
{
	const char *end = strrchr(l->path, '/');
	const char *dir = arena_strndup(&r->arena, l->path, (size_t)(end - l->path) + 1);
	_close_ int mount = sys_openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	struct handle *h = arena_new(&r->arena, struct handle);
	_close_ int fd = -1;
	struct stat st;

	if (mount < 0 || !l->has_handle || !l->has_handle_type || l->handle.len > MAX_HANDLE_SZ)
		return -ENOENT;
	h->head.handle_bytes = (unsigned int)l->handle.len;
	h->head.handle_type = l->handle_type;
	memcpy(h->head.f_handle, l->handle.data, l->handle.len);
	fd = (int)sys(SYS_open_by_handle_at, mount, h, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return fd;
	if (sys_stat(fd, "", 0, &st, NULL) || !st.st_nlink || st.st_ino != l->ino ||
	    st.st_dev != l->dev)
		return -ENOENT;
	return take_fd(&fd);
}

static int find_again(struct restore *r, struct remap_file *f)
{
	struct stat st;

	if (!sys_stat(AT_FDCWD, f->msg->path, AT_SYMLINK_NOFOLLOW, &st, NULL))
		return 0;
	_close_ int fd = open_handle(r, f->msg);

	f->by_handle = fd >= 0;
	if (f->by_handle)
		return 0;
	return refuse(&r->blockers, 0, arena_printf(&r->arena, "file '%s'", f->msg->original),
		      arena_printf(&r->arena, "the link '%s' that the dump made is gone",
				   f->msg->path),
		      "link the file to that name again");
}

/* Makes the link that an earlier restore removed; the journal knows it until the end. */
static int link_again(struct restore *r, struct remap_file *f)
{
	_close_ int fd = open_handle(r, f->msg);
	struct inode_look l = { .fd = fd };
	uint32_t entry;
	int e = fd < 0 ? fd : journal_add(restore_journal(r), JOURNAL_UNLINK, f->msg->path, &entry);

	if (!e)
		e = sys_stat(fd, "", 0, &l.st, NULL);
	if (!e)
		e = journal_made(restore_journal(r), entry, &l.st); /* it is born with content */
	if (!e)
		e = link_here(&l, f->msg->path);
	if (e)
		return fail(e, "link '%s' to '%s' again", f->msg->original, f->msg->path);
	f->link_entry = entry;
	return 0;
}

static int add_remap(void *c, uint32_t id, const ProtobufCMessage *m)
{
	struct restore *r = c;
	const LinkRemap *l = (const LinkRemap *)m;
	struct remap_file *f;

	if (!(l->found ? inode_is_name(l->path) : is_link_name(l->path)) ||
	    !inode_is_name(l->original))
		return fail(-EPROTO, "image 'link_remap': '%s' is no name of ours", l->path);
	f = vec_push(&r->arena, &r->inodes->remap);
	*f = (struct remap_file){ .id = id, .msg = l };
	if (!l->found)
		(void)find_again(r, f); /* collected */
	return 0;
}

int remap_plan(struct restore *r)
{
	return image_each(r->set, "link_remap", &link_remap__descriptor, add_remap, r);
}

int remap_create_all(struct restore *r)
{
	vec_foreach(m, &r->inodes->remap) {
		struct made_dir made;
		int e = m->by_handle ? link_again(r, m) : 0;

		if (!e)
			e = inode_link(r, m->msg->path, m->msg->original, &made);

		if (e)
			return e;
		m->name = made.path;
		m->entry = made.entry;
	}
	return 0;
}

int remap_remove_all(struct restore *r, bool restored)
{
	int first = 0;

	vec_foreach(m, &r->inodes->remap) {
		int e = !m->name ? 0
				 : inode_unlink_as(r, &(struct made_dir){ m->name, m->entry },
						   m->msg->original, false);

		m->name = NULL;
		if (!e && m->by_handle)
			e = inode_unlink(r, m->msg->path, m->link_entry, false);
		else if (!e && restored && !m->msg->found)
			e = sys_unlinkat(AT_FDCWD, m->msg->path, 0);
		m->by_handle = false;
		first = first ? first : e == -ENOENT ? 0 : e;
	}
	return first;
}
