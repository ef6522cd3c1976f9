/*
 * What the commands share: how a wrong command line is answered, how results become exit statuses,
 * and the byte that tells a waiting caller of the success.
 */
#include "cmd.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"
#include "base/io.h"
#include "base/str.h"
#include "sock/inet-map.h"

int usage_error(const struct invocation *in, const char *fmt, ...)
{
	va_list ap;

	(void)fputs(in->criu ? "Error (torpor): " : "torpor: ", stderr);
	va_start(ap, fmt);
	(void)vfprintf(stderr, fmt, ap);
	va_end(ap);
	(void)fputs(in->criu ? "\n" : " (--help lists the options)\n", stderr);
	return in->criu ? STATUS_FAILED : STATUS_USAGE;
}

int status_of(int result)
{
	return result < 0 ? STATUS_FAILED : result;
}

int tell_status_fd(const struct settings *s)
{
	int r = s->status_fd >= 0 ? io_write(s->status_fd, "", 1) : 0;

	return r ? fail(r, "tell the success to --status-fd %d", s->status_fd) : 0;
}

const char *const *terminated(struct arena *a, const option_list *l)
{
	const char **v = arena_array(a, const char *, l->n + 1);

	for (size_t i = 0; i < l->n; i++)
		v[i] = l->v[i];
	return v;
}

/* "fd[N]:KEY" */
static int parse_inherit(const char *text, struct inherit_fd *ret)
{
	struct span rest = span_of(text), number;
	uint32_t fd;

	if (!span_starts(rest, "fd["))
		return -EINVAL;
	rest.p += 3;
	rest.len -= 3;
	if (!span_cut(&rest, ']', &number) || span_u32(number, 10, &fd) || fd > INT32_MAX ||
	    rest.len < 2 || rest.p[0] != ':')
		return -EINVAL;
	*ret = (struct inherit_fd){ (int)fd, rest.p + 1 };
	return 0;
}

int inherit_list(const struct invocation *in, const struct inherit_fd **ret)
{
	const option_list *all = &in->set->inherit_fd;
	struct inherit_fd *v = arena_array(in->arena, struct inherit_fd, all->n + 1);

	for (size_t i = 0; i < all->n; i++)
		if (parse_inherit(all->v[i], &v[i]))
			return usage_error(in, "--inherit-fd '%s' is not fd[N]:KEY",
					   all->v[i]);
	*ret = v;
	return 0;
}

int map_ip_check(const struct invocation *in)
{
	const option_list *all = &in->set->map_ip;

	for (size_t i = 0; i < all->n; i++)
		if (!inet_map_ok(all->v[i]))
			return usage_error(in, "--map-ip '%s' is not OLD=NEW", all->v[i]);
	return 0;
}
