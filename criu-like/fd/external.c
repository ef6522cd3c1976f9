/*
 * Files that were declared external (--external KEY): nothing of them is saved, and the caller of
 * the restore puts a descriptor in their place (--inherit-fd fd[N]:KEY). The keys are those people
 * know: pipe:[INO], socket:[INO], unix[INO], tty[RDEV:DEV] and file[MNT:INO] with hexadecimal
 * numbers, or a path without its leading slash.
 */
#include "external.pb-c.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/refuse.h"
#include "fd/external.h"

enum { KEYS = 6 };

/* What this file may be called; NULL-terminated. */
static void keys(struct dump *d, struct fd_probe *p, const char *ret[KEYS])
{
	uint64_t ino = p->st.st_ino;
	size_t n = 0;

	if (S_ISFIFO(p->st.st_mode))
		ret[n++] = arena_printf(&d->arena, "pipe:[%" PRIu64 "]", ino);
	if (S_ISSOCK(p->st.st_mode)) {
		ret[n++] = arena_printf(&d->arena, "socket:[%" PRIu64 "]", ino);
		ret[n++] = arena_printf(&d->arena, "unix[%" PRIu64 "]", ino);
	}
	if (S_ISCHR(p->st.st_mode))
		ret[n++] = arena_printf(&d->arena, "tty[%lx:%lx]", (unsigned long)p->st.st_rdev,
					(unsigned long)p->st.st_dev);
	if (fd_link(d, p)[0] == '/') {
		ret[n++] = arena_printf(&d->arena, "file[%" PRIx32 ":%" PRIx64 "]", p->mnt_id, ino);
		ret[n++] = p->link + 1;
	}
	ret[n] = NULL;
}

const char *external_declared(struct dump *d, struct fd_probe *p)
{
	const char *key[KEYS];

	if (!d->opt->external || !d->opt->external[0])
		return NULL;
	keys(d, p, key);
	for (size_t i = 0; key[i]; i++)
		for (const char *const *e = d->opt->external; *e; e++)
			if (!strcmp(*e, key[i]))
				return *e;
	return NULL;
}

static bool match(struct dump *d, struct fd_probe *p)
{
	return external_declared(d, p);
}

static int dump(struct dump *d, struct fd_probe *p, void *msg)
{
	External *m = msg;

	p->key = external_declared(d, p);
	m->key = (char *)p->key;
	return 0;
}

/* Not called for what the caller hands over. */
static int plan(struct restore *r, struct fd_obj *o)
{
	const External *m = o->msg;

	return refuse(&r->blockers, 0, m->key, "it was declared external at the dump",
		      arena_printf(&r->arena, "hand it over: --inherit-fd 'fd[N]:%s'", m->key));
}

static int open_fd(struct opener *o, const struct fd_obj *obj)
{
	(void)o;
	return fail(-EPROTO, "'%s' is external", ((const External *)obj->msg)->key);
}

const struct fd_kind kind_external = { .name = "external",
				       .descriptor = &external__descriptor,
				       .match = match,
				       .dump = dump,
				       .plan = plan,
				       .open = open_fd };
