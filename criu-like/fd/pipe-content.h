#pragma once
#include "core/file/file.h"

/* What waits in a pipe or a named pipe. */
struct pipe_content {
	uint32_t size; /* F_GETPIPE_SZ */
	size_t n_packet;
	ProtobufCBinaryData *packet; /* one, or one per packet */
	bool packets;
};

/* Of the pipe that p->fd is an end of; nothing is consumed. */
int pipe_content_dump(struct dump *d, const struct fd_probe *p, struct pipe_content *ret);
/* Into a fresh pipe with this writing end, whose flags are changed; a reader must be there. */
int pipe_content_restore(int fd, const struct pipe_content *c);
