/*
 * torpor show DIR [IMAGE]: the tree view of a checkpoint, or one image record by record; --json for
 * programs. The checkpoint is verified like before a restore, so what is shown is what would come
 * back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/fd.h"
#include "cmd.h"
#include "images/json.h"
#include "place.h"
#include "show.h"

/* "creds", "creds.img", "inotify_queues.late" */
static const char *stem_of(struct arena *a, const char *name)
{
	const char *dot = strrchr(name, '.');

	bool known = dot && (!strcmp(dot, ".img") || !strcmp(dot, ".late"));

	return known ? arena_strndup(a, name, (size_t)(dot - name)) : name;
}

static void report_missing(struct show *s, const char *stem)
{
	const char *const *all, *list = "";
	size_t n = image_set_stems(s->set, &all);

	for (size_t i = 0; i < n; i++)
		list = arena_printf(s->arena, "%s%s%s", list, i ? ", " : "", all[i]);
	(void)fail(-ENOTSUP, "the checkpoint has no image '%s'; there are: %s", stem, list);
}

static int show_image(struct show *s, const char *stem, bool json)
{
	const ProtobufCMessageDescriptor *d = show_descriptor(stem);
	const ProtobufCMessage *late;
	int r = -ENOENT;

	if (!d) {
		r = show_read(s);
		r = r ?: show_late(s, stem, &late);
		r = r ?: image_print_single(stem, late, json, stdout);
	}
	if (d)
		r = json ? image_print_json(s->set, stem, d, stdout)
			 : image_print_text(s->set, stem, d, stdout);
	if (r == -ENOENT)
		report_missing(s, stem);
	return r;
}

static int show_tree(struct show *s, bool json)
{
	int r = show_read(s);

	if (r)
		return r;
	return json ? show_print_tree_json(s, stdout) : show_print_tree(s, stdout);
}

int cmd_show(const struct invocation *in)
{
	const struct settings *set = in->set;
	_place_close_ struct place place = { -1, -1, -1 };
	_close_ int dirfd = -1;
	struct show s = { .arena = in->arena };
	int r;

	if (!in->word->n)
		return usage_error(in, "show: DIR is missing");
	if (place_open(set, PLACE_LOG_ONLY, NULL, &place))
		return STATUS_FAILED;
	if (image_dir_open(in->word->v[0], false, &dirfd))
		return STATUS_FAILED;
	s.dirfd = dirfd;
	r = image_set_open(in->arena, dirfd, &s.set);
	if (r)
		return STATUS_FAILED;
	r = in->word->n > 1 ? show_image(&s, stem_of(in->arena, in->word->v[1]), set->json)
			    : show_tree(&s, set->json);
	image_set_close(s.set);
	return status_of(r);
}
