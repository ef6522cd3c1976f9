#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "core/dump.h"
#include "core/restore.h"

/*
 * Objects of the kernel's own tmpfs and hugetlbfs, which mappings and descriptors refer to by one
 * number (shmem.img).
 */
struct shared_probe {
	int fd;           /* ours, opened for reading */
	int dir_fd;       /* with path: how it is opened again while the tree is stopped */
	const char *path;
};
/* The number of the object, or (`view`) of its view for reading only. */
int shared_object(struct dump *d, const struct shared_probe *p, bool view, uint32_t *ret_id);
/* Whether files on this device are such objects, and not files of a mounted tmpfs. */
bool shared_device(struct dump *d, uint64_t dev, long fs_type);

struct mem_object;
int shared_object_plan(struct restore *r, const struct mem_object *o);
/* Coordinator: the object, made when first asked for; the descriptor stays the plan's. */
int shared_object_fd(struct restore *r, uint32_t id, int *ret_fd);
/* For a descriptor opened with these flags: any number, close-on-exec. */
int shared_object_open(struct restore *r, uint32_t id, uint64_t flags);
/* The object exists in the images and is none that stands for another. */
int shared_object_check(struct restore *r, uint32_t id);
