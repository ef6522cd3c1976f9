/*
 * Files that lost the name they were opened by while other names exist somewhere.
 *
 * Nothing tells these other names, so the dump gives the file one more link beside the lost name;
 * that changes the file system and is done only with --link-remap, in the journal first. A restore
 * links the lost name to it for as long as descriptions are opened, and removes both once the tasks
 * run.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "core/inode-space.h"
#include "core/journal.h"
#include "core/refuse.h"
#include "kernel/descriptor.h"

/* --- dump ----------------------------------------------------------------------------------------
 */

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
		name = arena_printf(&d->arena, "%s/.torpor-link-%d-%" PRIu32, len > 1 ? dir : "",
				    d->opt->pid, id++);
	while (!sys_stat(AT_FDCWD, name, AT_SYMLINK_NOFOLLOW, &st, NULL));
	return name;
}

static int make(struct dump *d, const struct inode_look *l, uint32_t id)
{
	struct inode_space *s = d->inodes;
	const char *name = free_name(d, l, id);
	LinkRemap m = LINK_REMAP__INIT;
	uint32_t entry;
	int r;

	if (!d->journal)
		d->journal = journal_new(&d->arena, d->opt->work_fd);
	r = journal_add(d->journal, JOURNAL_UNLINK, name, &entry);
	if (r)
		return r;
	*vec_push(&d->arena, &s->remap_entry) = entry;
	r = link_here(l, name);
	if (r)
		return fail(r, "link '%s' to '%s'", l->link, name);
	r = journal_made(d->journal, entry, &l->st);
	if (!r && !s->remap_image)
		r = image_create(d->set, "link_remap", &s->remap_image);
	m.path = (char *)name;
	m.original = (char *)l->path;
	m.dev = l->st.st_dev;
	m.ino = l->st.st_ino;
	return r ? r : image_append(s->remap_image, id, &m.base);
}

int remap_dump(struct dump *d, const struct inode_look *l, uint32_t *ret_id)
{
	struct inode_space *s = inode_space_of(d);
	uintptr_t id = (uintptr_t)map_get(&s->remap_of, l->st.st_dev, l->st.st_ino);
	int r = 0;

	if (!d->opt->link_remap)
		return inode_refuse(
			d, l, "this name is deleted, but the file has others that cannot be found",
			"--link-remap gives it one more until it is restored");
	if (!id) {
		id = ++s->n_remap;
		map_put(&s->remap_of, l->st.st_dev, l->st.st_ino, (void *)id);
		r = make(d, l, (uint32_t)id - 1);
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

int remap_plan(struct restore *r)
{
	ProtobufCMessage *m;
	struct image *i;
	struct stat st;
	uint32_t id;
	int e = image_open(r->set, "link_remap", &i);

	if (e)
		return e == -ENOENT ? 0 : e;
	while ((e = image_next(i, &link_remap__descriptor, &id, &m)) > 0) {
		const LinkRemap *l = (const LinkRemap *)m;

		*vec_push(&r->arena, &r->inodes->remap) = (struct remap_file){ .id = id, .msg = l };
		if (sys_stat(AT_FDCWD, l->path, AT_SYMLINK_NOFOLLOW, &st, NULL))
			(void)refuse(&r->blockers, 0,
				     arena_printf(&r->arena, "file '%s'", l->original),
				     arena_printf(&r->arena,
						  "the link '%s' that the dump made is gone "
						  "(a restore removes it)",
						  l->path),
				     "link the file to that name again"); /* collected */
	}
	return e;
}

int remap_create_all(struct restore *r)
{
	vec_foreach(m, &r->inodes->remap) {
		struct made_dir made;
		int e = inode_link(r, m->msg->path, m->msg->original, &made);

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
		int e = m->name ? inode_unlink(r, m->name, m->entry, false) : 0;

		m->name = NULL;
		if (!e && restored)
			e = sys_unlinkat(AT_FDCWD, m->msg->path, 0);
		first = first ? first : e == -ENOENT ? 0 : e;
	}
	return first;
}
