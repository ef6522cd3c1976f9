#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

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
	int tasks; /* program of the iterator over tasks; -1: not loaded yet */
	char *window; /* one page, filled by each read */
};
/* 0 or -errno; not reported. */
int kernel_memory_open(struct arena *a, struct kernel_memory *ret);
void kernel_memory_close(struct kernel_memory *k);
int kernel_memory_read(const struct kernel_memory *k, uint64_t address, void *buf, size_t len);
/* Addresses of the unix sockets (struct unix_sock) of the caller's network namespace. */
int kernel_memory_unix(const struct kernel_memory *k, struct arena *a, uint64_t **ret,
		       size_t *ret_n);
/* Address of a thread (struct task_struct) by its number in the caller's pid namespace. 6.1 */
int kernel_memory_task(struct kernel_memory *k, pid_t tid, uint64_t *ret);
