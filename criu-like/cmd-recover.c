/*
 * torpor recover: undoes what a killed run left behind, as its journal in the work directory says:
 * temporary names of files, ghosts that got a name. The network lock of a checkpoint in the images
 * directory goes as well: its connections are given up. Nothing else is touched.
 */
#include <stdio.h>

#include "cmd.h"
#include "core/journal.h"
#include "core/net-lock.h"
#include "place.h"

int cmd_recover(const struct invocation *in)
{
	_place_close_ struct place place = { -1, -1, -1 };
	int r, lock;

	if (!in->set->images_dir && !in->set->work_dir && in->set->images_fd < 0)
		return usage_error(in, "recover: -D DIR is missing");
	if (place_open(in->set, 0, NULL, &place))
		return STATUS_FAILED;
	r = journal_recover(in->arena, place.work_fd);
	lock = net_lock_abandon(in->arena, place.images_fd);
	if (r < 0 || lock < 0)
		return STATUS_FAILED;
	r += lock;
	printf(r ? "undone: %d\n" : "nothing to undo\n", r);
	return 0;
}
