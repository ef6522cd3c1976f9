#pragma once
/*
 * Factories: kernel objects by name, each with a deterministic content and a check of it.
 * test/matrix.c makes every one of them in one task, in two tasks and across a fork; a body that
 * needs "some object" can use them as well. To add one: a make and a check function in the fitting
 * factory-*.c and a line in its table.
 */
#include "test.h"

enum { OBJECT_FDS = 6 };

struct object {
	int fd[OBJECT_FDS]; /* what make opened, in use from index 0; -1 ends the list */
	uint64_t seed;	    /* contents and parameters derive from it */
	long note[4];	    /* what check wants to compare with */
	char name[64];	    /* a path or address that belongs to it */
};

struct factory {
	const char *name;
	void (*make)(struct object *o); /* ends the body (must, skip) where the kernel refuses */
	void (*test)(struct object *o); /* content, flags and that it still works; may consume it */
	const char *refused; /* the tool does not save it yet: words of its refusal, no blanks */
};

extern const struct factory file_factories[], event_factories[], notify_factories[],
	socket_factories[], ipc_factories[];

/* Calls fn for every factory of all tables; fn gives true to stop. Gives the factory it stopped at,
 * or NULL. */
const struct factory *factory_find(bool (*fn)(const struct factory *, void *), void *arg);
const struct factory *factory_by_name(const char *name);

/* An object of a factory with the given seed. */
struct object object_make(const struct factory *f, uint64_t seed);

/* Bytes through a stream: len bytes of the pattern of seed. */
void stream_put(int fd, size_t len, uint64_t seed);
void stream_expect(int fd, size_t len, uint64_t seed);
