/*
 * Calls into the vdso through addresses found before the checkpoint, compared with the system
 * calls; and the auxiliary vector still names the page.
 */
#include "test.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>

struct symbols {
	const char *base, *names;
	const ElfW(Sym) * table;
	uint32_t count;
};

static const char *at(const struct symbols *s, ElfW(Addr) offset)
{
	return s->base + offset;
}

static struct symbols symbols_of(const char *base)
{
	struct symbols s = { .base = base };
	const ElfW(Ehdr) *head = (const void *)base;
	const ElfW(Phdr) *p = (const void *)(base + head->e_phoff);
	const ElfW(Dyn) *dyn = NULL;

	for (int i = 0; i < head->e_phnum; i++)
		if (p[i].p_type == PT_DYNAMIC)
			dyn = (const void *)at(&s, p[i].p_offset);
	for (; must_ptr(dyn) && dyn->d_tag != DT_NULL; dyn++) {
		if (dyn->d_tag == DT_STRTAB)
			s.names = at(&s, dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_SYMTAB)
			s.table = (const void *)at(&s, dyn->d_un.d_ptr);
	}
	/* The string table follows the symbols in every vdso. */
	s.count = (uint32_t)((const ElfW(Sym) *)s.names - s.table);
	return s;
}

static void *find(const struct symbols *s, const char *name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (!strcmp(s->names + s->table[i].st_name, name))
			return (void *)at(s, s->table[i].st_value);
	return NULL;
}

static void compare(int (*clock)(clockid_t, struct timespec *), clockid_t id)
{
	struct timespec before, now, after;

	must(syscall(SYS_clock_gettime, id, &before));
	check(!clock(id, &now));
	must(syscall(SYS_clock_gettime, id, &after));
	check(now.tv_sec >= before.tv_sec && now.tv_sec <= after.tv_sec, "clock %d: %ld, not %ld",
	      id, now.tv_sec, before.tv_sec);
}

int main(void)
{
	const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
	struct symbols s;
	int (*clock)(clockid_t, struct timespec *);
	int (*cpu)(unsigned *, unsigned *, void *);
	unsigned number = 9999;

	if (!base)
		skip("the kernel gives no vdso");
	s = symbols_of(base);
	clock = must_ptr(find(&s, "__vdso_clock_gettime"));
	cpu = must_ptr(find(&s, "__vdso_getcpu"));
	checkpoint();
	compare(clock, CLOCK_REALTIME);
	compare(clock, CLOCK_MONOTONIC);
	compare(clock, CLOCK_BOOTTIME);
	check(!cpu(&number, NULL, NULL) && number < 9999, "cpu %u", number);
	check(getauxval(AT_SYSINFO_EHDR) == (unsigned long)base && !memcmp(base, ELFMAG, SELFMAG));
	return test_end();
}
