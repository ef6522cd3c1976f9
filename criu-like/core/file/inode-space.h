#pragma once
#include "base/map.h"
#include "base/vec.h"
#include "core/file/inode.h"
#include "ghost.pb-c.h"
#include "ghost_data.pb-c.h"
#include "images/image.h"
#include "link_remap.pb-c.h"

/* What the files of core/ that deal with inodes share. */
struct ghost_alias { /* another name that led to it */
	const char *path, *name;
	uint32_t entry;
};
struct ghost_file { /* restore */
	uint32_t id;
	const Ghost *msg;
	VEC(const GhostData *) data;
	const char *name; /* the name it has during the restore; NULL: none */
	uint32_t entry;	  /* number in the journal */
	int fd;		  /* without a name (O_TMPFILE): the description itself; -1 */
	bool stands_in;	  /* a process was made that has its directory in /proc */
	VEC(struct ghost_alias) alias;
};
struct remap_file { /* restore */
	uint32_t id;
	const LinkRemap *msg;
	const char *name;
	bool by_handle; /* the link of the dump is gone and was found, or made, again */
	uint32_t link_entry;
	uint32_t entry; /* number in the journal */
};
struct made_dir {
	const char *path;
	uint32_t entry;
};
struct put_name { /* a file that stays under its name once the tree is restored */
	const char *path, *name; /* `name` holds what was at `path`, if swapped */
	uint32_t entry, swap_entry;
	struct stat old; /* what was at `path` */
	bool moved, swapped;
};
struct inode_space {
	/* dump */
	struct map ghost_of, remap_of; /* (device, inode) -> id + 1 */
	uint32_t n_ghost, n_remap;
	struct image *data_image, *remap_image;
	VEC(Ghost *) ghost_msg;	   /* index: id */
	VEC(uint32_t) remap_entry; /* numbers in the journal */
	struct map mount_of;	   /* device of a superblock -> a descriptor of a mount */
	char *buffer;
	/* restore */
	VEC(struct ghost_file) ghost;
	VEC(struct remap_file) remap;
	VEC(struct put_name) put;
	VEC(struct made_dir) made_dir; /* parents that were gone too, in the order they were made */
};

/* A file as our descriptor shows it during a dump. */
struct inode_look {
	const struct task *task;
	int fd;
	const char *link; /* the kernel's text */
	const char *path; /* the name, without " (deleted)" */
	bool deleted;	  /* the kernel said so */
	bool named;	  /* the text is a name, and leads to this inode */
	struct stat st;
};

struct inode_space *inode_space_of(struct dump *d);
int inode_refuse(struct dump *d, const struct inode_look *l, const char *reason,
		 const char *remedy);
/* Ids of the ghost or link remap of this file, saved now if it is new. */
int ghost_dump(struct dump *d, const struct inode_look *l, uint32_t *ret_id);
int ghost_dump_finish(struct dump *d);
int remap_dump(struct dump *d, const struct inode_look *l, uint32_t *ret_id);

int ghost_plan(struct restore *r);
int ghost_create_all(struct restore *r);
int ghost_remove_all(struct restore *r);
const char *ghost_name(const struct ghost_file *g, const char *path);
struct ghost_file *ghost_find(const struct inode_space *s, uint32_t id);
int remap_plan(struct restore *r);
int remap_create_all(struct restore *r);
int remap_remove_all(struct restore *r, bool restored);
struct remap_file *remap_find(const struct inode_space *s, uint32_t id);
/* The name under which this reference will find its ghost (the plan; before it is made). */
void ghost_want_name(struct restore *r, struct ghost_file *g, const char *path);

/* inode-place.c */
/* Whether it is a name as the kernel tells them: from the root, no part empty, "." or "..". */
bool inode_is_name(const char *path);
/* Removes the parents that were made. */
int inode_unplace(struct restore *r);
/* Gives the file at `existing` the name `path` or a similar one; journaled. */
int inode_link(struct restore *r, const char *existing, const char *path, struct made_dir *ret);
/* Removes a name that was made; `is_dir` for directories. */
int inode_unlink(struct restore *r, const char *name, uint32_t entry, bool is_dir);
/* The same for one that was made for `path`: that is the name the kernel will tell. */
int inode_unlink_as(struct restore *r, const struct made_dir *made, const char *path, bool is_dir);

/* Opens a file below what is mounted over its name; or -errno. */
int hidden_open(const char *path, uint64_t dev, uint64_t ino, int flags);
