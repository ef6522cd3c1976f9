/*
 * Which message type the records of an image have: kinds bring their own, the images of the core
 * are listed here. A checkpoint may hold images of kinds that this tool does not know; they are
 * named, not decoded.
 */
#include <string.h>

#include "base/err.h"
#include "core/file/file.h"
#include "core/kind.h"
#include "core/memory/memory-kind.h"
#include "ghost.pb-c.h"
#include "ghost_data.pb-c.h"
#include "link_remap.pb-c.h"
#include "net_lock.pb-c.h"
#include "show.h"
#include "stats.pb-c.h"
#include "thread.pb-c.h"
#include "vma.pb-c.h"

static const struct {
	const char *stem;
	const ProtobufCMessageDescriptor *descriptor;
} core_images[] = {
	{ "head", &head__descriptor },
	{ "stats", &stats__descriptor },
	{ "task", &task__descriptor },
	{ "thread", &thread__descriptor },
	{ "mm", &mm__descriptor },
	{ "vma", &vma__descriptor },
	{ "pagemap", &pagemap__descriptor },
	{ "shmem_pages", &pagemap__descriptor },
	{ "fd_table", &fd_table__descriptor },
	{ "ofd", &ofd__descriptor },
	{ "ghost", &ghost__descriptor },
	{ "ghost_data", &ghost_data__descriptor },
	{ "link_remap", &link_remap__descriptor },
	{ "net_lock", &net_lock__descriptor },
};

const ProtobufCMessageDescriptor *show_descriptor(const char *stem)
{
	for (size_t i = 0; i < array_size(core_images); i++)
		if (!strcmp(core_images[i].stem, stem))
			return core_images[i].descriptor;
	for (const struct task_kind *const *k = task_kinds; *k; k++)
		if (!strcmp((*k)->name, stem))
			return (*k)->descriptor;
	for (const struct fd_kind *const *k = fd_kinds; *k; k++)
		if (!strcmp((*k)->name, stem))
			return (*k)->descriptor;
	for (const struct mem_kind *const *k = mem_kinds; *k; k++)
		if (!strcmp((*k)->name, stem))
			return (*k)->descriptor;
	for (const struct world_kind *const *k = world_kinds; *k; k++)
		if (!strcmp((*k)->name, stem))
			return (*k)->descriptor;
	return NULL;
}
