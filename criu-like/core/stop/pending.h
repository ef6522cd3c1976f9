#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

#include "core/kind.h"

/*
 * Queued signals of a thread or a process: the part that both kinds share. A record is a list of
 * siginfo (128 bytes each).
 */
struct pending {
	ProtobufCBinaryData *info;
	size_t n;
};

/* From the stopped thread; bits of `mask` without an entry (the queue overflowed) get one. */
int pending_dump(struct dump *d, const struct thread *t, bool shared, uint64_t mask,
		 struct pending *ret);
int pending_check(const struct pending *p);
int pending_signal(const ProtobufCBinaryData *info);
/* Asks once for the numbers of the calling thread ... */
struct pending_self {
	struct prog_arg pid, tid;
};
struct pending_self pending_self(struct prog *p);
/* ... and queues one signal to it, or to its process (the caller is the leader then). */
void pending_queue(struct prog *p, const struct pending_self *self, const ProtobufCBinaryData *info,
		   bool shared);
