#pragma once
#include <stdint.h>
#include <sys/uio.h>

#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"
#include "images/image.h"

/*
 * Where the files of a set live. A back end knows names and bytes, nothing of records. All
 * functions give 0 or -errno and report failures, but for size(), which leaves -ENOENT to the
 * caller. A back end is written or read, never both.
 */
struct backend;
struct backend_file;
typedef VEC(const char *) backend_names;

struct backend_ops {
	/* Writing: each file front to back, several at once. The name must be new. */
	int (*create)(struct backend *b, const char *name, struct backend_file **ret);
	int (*append)(struct backend *b, struct backend_file *f, const struct iovec *iov,
		      int n_iov);
	/*
	 * From here on a process forked from this one may append to the file, while the caller does
	 * not. NULL: all files go one way.
	 */
	int (*share)(struct backend *b, struct backend_file *f);
	int (*finish)(struct backend *b, struct backend_file *f);
	/* Makes everything durable where asked to, then the set complete, by its last file. */
	int (*commit)(struct backend *b, struct span content);
	/* Removes all that was created. */
	void (*discard)(struct backend *b);

	/* Reading. */
	int (*list)(struct backend *b, backend_names *ret);
	int (*size)(struct backend *b, const char *name, uint64_t *ret);
	/* Exactly `size` bytes, which must be the whole file. */
	int (*load)(struct backend *b, const char *name, uint64_t size, struct span *ret);
	/* A read-only descriptor of a file of `size` bytes. */
	int (*open)(struct backend *b, const char *name, uint64_t size, int *ret_fd);

	void (*close)(struct backend *b);
};

struct backend {
	const struct backend_ops *ops;
	struct arena *arena;
	const char *place; /* for messages */
};

#define IMAGE_SUFFIX ".img"
#define COMMIT_STEM  "commit"
#define COMMIT_FILE  COMMIT_STEM IMAGE_SUFFIX

int dir_backend_create(struct arena *a, int dirfd, unsigned int flags, struct backend **ret);
int dir_backend_open(struct arena *a, int dirfd, struct backend **ret);
