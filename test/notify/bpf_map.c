/*
 * Maps of BPF: a hash table, a frozen array and a trie, with all their elements, names and flags; a
 * second description of one that may only be read, and one that a child has.
 */
#include "test.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>

enum { ELEMENTS = 3000 };

static int bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int make(uint32_t type, uint32_t key, uint32_t value, uint32_t flags, const char *name)
{
	union bpf_attr attr = {.map_type = type, .key_size = key, .value_size = value,
			       .max_entries = ELEMENTS, .map_flags = flags};
	int fd;

	strcpy(attr.map_name, name);
	fd = bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0)
		skip("no maps: %s", strerror(errno));
	return fd;
}

static int set(int fd, const void *key, const void *value)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key,
			       .value = (uintptr_t)value};

	return bpf(BPF_MAP_UPDATE_ELEM, &attr);
}

static int get(int fd, const void *key, void *value)
{
	union bpf_attr attr = {.map_fd = (uint32_t)fd, .key = (uintptr_t)key,
			       .value = (uintptr_t)value};

	return bpf(BPF_MAP_LOOKUP_ELEM, &attr);
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = {0};
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info),
					.info = (uintptr_t)&info}};

	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr));
	return info;
}

static int hash, array, trie;

static void child(void *arg)
{
	(void)arg;
	checkpoint_wait();
	check(info_of(hash).max_entries == ELEMENTS);
}

int main(void)
{
	uint32_t prefix[2] = {8, 10}, values = 0;
	int reader;

	hash = make(BPF_MAP_TYPE_HASH, 4, 12, 0, "table");
	array = make(BPF_MAP_TYPE_ARRAY, 4, 8, BPF_F_RDONLY_PROG, "array");
	trie = make(BPF_MAP_TYPE_LPM_TRIE, 8, 4, BPF_F_NO_PREALLOC, "");
	for (uint32_t i = 0; i < ELEMENTS / 2; i++) {
		uint32_t key = i * 7919, value[3] = {i, i + 1, i + 2};

		must(set(hash, &key, value));
		must(set(array, &i, value));
	}
	must(set(trie, prefix, &(uint32_t){77}));
	must(bpf(BPF_MAP_FREEZE, &(union bpf_attr){.map_fd = (uint32_t)array}));
	reader = must(bpf(BPF_MAP_GET_FD_BY_ID, &(union bpf_attr){ .map_id = info_of(hash).id,
								   .open_flags = BPF_F_RDONLY }));
	task_run(child, NULL);
	checkpoint();
	for (uint32_t i = 0; i < ELEMENTS / 2; i++) {
		uint32_t key = i * 7919, value[3] = {0}, two[2] = {0};

		values += !get(reader, &key, value) && value[0] == i && value[2] == i + 2;
		values += !get(array, &i, two) && two[0] == i && two[1] == i + 1;
	}
	check(values == ELEMENTS, "%u values", values);
	check(set(array, &(uint32_t){0}, &(uint64_t){0}) < 0 && errno == EPERM);
	check(set(reader, &(uint32_t){1}, &(uint32_t[3]){0}) < 0 && errno == EPERM);
	check(!set(hash, &(uint32_t){1}, &(uint32_t[3]){5}));
	check(!get(reader, &(uint32_t){1}, &(uint32_t[3]){0}));
	prefix[0] = 32;
	prefix[1] = 10 | 99 << 8;
	check(!get(trie, prefix, &values) && values == 77);
	check(!strcmp(info_of(hash).name, "table") &&
	      info_of(array).map_flags == BPF_F_RDONLY_PROG);
	check(info_of(reader).id == info_of(hash).id);
	return test_end();
}
