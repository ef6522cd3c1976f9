#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/vec.h"
#include "images/backend.h"
#include "images/format.h"

/* Shared by the files of the image library only. */
enum { SET_FILES_MAX = 4096, COMMIT_BYTES_MAX = 1 << 20 };

enum entry_type { ENTRY_RECORDS, ENTRY_PAGES };

struct entry {
	const char *stem;
	enum entry_type type;
	bool open; /* still being written */
	uint64_t size, hash;
	struct format_image image; /* of a set being read */
};

struct image_set {
	struct arena *arena;
	struct backend *backend;
	bool writing;
	VEC(struct entry *) entry; /* in the order of creation */
	VEC(const char *) stem;
};

int set_create(struct arena *a, struct backend *b, struct image_set **ret);
int set_open(struct arena *a, struct backend *b, struct image_set **ret);
struct entry *set_find(const struct image_set *s, const char *stem);
const char *set_file_name(const struct image_set *s, const char *stem);
/* Begins a file of a set being written. */
int set_add(struct image_set *s, const char *stem, enum entry_type type, struct entry **ret,
	    struct backend_file **ret_file);
