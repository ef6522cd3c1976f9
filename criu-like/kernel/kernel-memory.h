#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/vec.h"
#include "base/btf.h"

/*
 * Reading what the kernel holds and no system call tells, by two small BPF programs. Nothing is
 * ever written. Needs BTF and CAP_BPF with CAP_PERFMON.
 */
struct kernel_memory {
	struct btf btf;
	int map, reader;
	char *window; /* one page, filled by each read */
};
/* 0 or -errno; not reported. */
int kernel_memory_open(struct arena *a, struct kernel_memory *ret);
void kernel_memory_close(struct kernel_memory *k);
int kernel_memory_read(const struct kernel_memory *k, uint64_t address, void *buf, size_t len);
/* Addresses of the unix sockets (struct unix_sock) of the caller's network namespace. */
int kernel_memory_unix(const struct kernel_memory *k, struct arena *a, uint64_t **ret,
		       size_t *ret_n);
