#pragma once
#include "core/file/file.h"

/*
 * The classic filter of a socket, among its options as SOL_SOCKET, SO_ATTACH_FILTER with the
 * instructions as value. socket-options.c calls these for every socket.
 */
enum { FILTER_INSTRUCTION_BYTES = 8, FILTER_BYTES_MAX = 4096 * FILTER_INSTRUCTION_BYTES };

/* Length 0: none. Refuses eBPF programs. */
int socket_filter_dump(struct dump *d, struct fd_probe *p, ProtobufCBinaryData *ret);
int socket_filter_attach(int fd, const ProtobufCBinaryData *filter);
