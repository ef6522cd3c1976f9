#pragma once
#include "core/file/inode.h"

/* A file as the watches of inotify and fanotify name it in fdinfo. */
struct inode_number {
	uint64_t dev; /* of the superblock */
	uint64_t ino;
	int handle_type;
	uint32_t handle_bytes; /* 0: none told */
	const uint8_t *handle;
};
/* "ino:61af sdev:800013 ... fhandle-bytes:8 fhandle-type:1 f_handle:af61..": 0 or -EINVAL. */
int inode_number_parse(struct arena *a, struct span line, struct inode_number *ret);
/*
 * A name for this file: through what the tree has open, by its handle, or by a walk near what the
 * tree uses. Refuses (for `object`, "descriptor 3 (inotify)") what cannot be found.
 */
int inode_find(struct dump *d, const struct task *t, const struct inode_number *n,
	       const char *object, FileRef **ret);
/* A name in the directory `dir` that leads to this file; NULL: none. */
const char *inode_name_in(struct dump *d, const char *dir, const struct stat *st);
/* A descriptor (O_PATH) of a mount of this superblock, kept open; -ENOENT: the tool sees none. */
int inode_mount_of(struct dump *d, uint64_t dev);
