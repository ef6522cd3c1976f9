#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"

enum { WIRE_NESTING_MAX = 32 };

/* Names the place in messages. */
struct wire_place {
	const char *stem;
	uint32_t record; /* counted from 0 */
};

/*
 * Unpacks a message from untrusted bytes into the arena, more strictly than protobuf does: unknown
 * fields and enum values, a single field given twice, missing required ones, text with a NUL inside
 * and deep nesting are all refused by name. The memory used is bounded by the length of the bytes.
 */
int wire_unpack(struct arena *a, const struct wire_place *at, const ProtobufCMessageDescriptor *d,
		struct span bytes, ProtobufCMessage **ret);
