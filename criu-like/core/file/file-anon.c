/*
 * What kinds of anonymous files have in common: they are recognised by the text of their link (they
 * all share one inode), and some change while they are looked at, so that fdinfo is read again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "core/file/file-space.h"

bool fd_is_anon(struct dump *d, struct fd_probe *p, const char *name)
{
	static const char prefix[] = "anon_inode:";
	const size_t len = sizeof(prefix) - 1;

	if (p->st.st_mode & S_IFMT)
		return false;
	return !strncmp(fd_link(d, p), prefix, len) && !strcmp(p->link + len, name);
}

int fd_info_again(struct dump *d, struct fd_probe *p)
{
	struct span text;
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "%d", p->number); /* always fits */
	r = io_slurp_at(&d->arena, d->files->fdinfo_dir, name, &text);
	if (!r)
		r = fdinfo_parse(text, &p->info);
	return r ? fail(r, "descriptor %d: read its fdinfo again", p->number) : 0;
}
