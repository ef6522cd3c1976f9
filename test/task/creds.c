/*
 * Credentials per thread: uids, gids, groups, the five capability sets, securebits. Threads change
 * theirs by raw calls, since libc would change them in all threads; one child drops everything as a
 * daemon does.
 */
#include "test.h"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

struct creds {
	char text[2048];
	int securebits, dumpable;
};

static void creds_now(struct creds *ret)
{
	static const char *const keys[] = {"Uid",    "Gid",    "Groups", "CapInh",    "CapPrm",
					   "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"};
	char path[64], value[256];

	memset(ret, 0, sizeof(*ret));
	snprintf(path, sizeof(path), "task/%d/status", gettid());
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		must_true(proc_value(path, keys[i], value, sizeof(value)));
		snprintf(ret->text + strlen(ret->text), sizeof(ret->text) - strlen(ret->text),
			 "%s %s\n", keys[i], value);
	}
	ret->securebits = prctl(PR_GET_SECUREBITS);
	ret->dumpable = prctl(PR_GET_DUMPABLE);
}

static uint32_t *settled;

static void compare_over_checkpoint(void)
{
	struct creds before, after;

	/* Dumpable belongs to the process and changes with every thread's uid: look when all are
	 * done. */
	event_add(settled);
	event_wait(settled, 4);
	creds_now(&before);
	checkpoint_wait();
	creds_now(&after);
	check(!strcmp(before.text, after.text), "before:\n%safter:\n%s", before.text, after.text);
	check(before.securebits == after.securebits && before.dumpable == after.dumpable,
	      "securebits %#x dumpable %d", after.securebits, after.dumpable);
}

static void set_caps(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++)
		data[i] = (struct __user_cap_data_struct){effective >> 32 * i, permitted >> 32 * i,
							  inheritable >> 32 * i};
	must(syscall(SYS_capset, &head, data));
}

static void thread_caps(void *arg)
{
	(void)arg;
	must(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT));
	set_caps(1ull << CAP_NET_RAW, 1ull << CAP_NET_RAW | 1ull << CAP_CHOWN, 1ull << CAP_CHOWN);
	must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	compare_over_checkpoint();
}

static void thread_ids(void *arg)
{
	gid_t groups[] = {7, 3000, 3001, 65534};

	(void)arg;
	must(syscall(SYS_setgroups, 4, groups));
	must(syscall(SYS_setresgid, 100, 200, 300));
	must(syscall(SYS_setfsgid, 200));
	must(syscall(SYS_setresuid, 1000, 0, 2000));
	syscall(SYS_setfsuid, 1000);
	compare_over_checkpoint();
}

static void thread_securebits(void *arg)
{
	(void)arg;
	must(prctl(PR_SET_SECUREBITS,
		   SECBIT_NO_SETUID_FIXUP | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT));
	must(syscall(SYS_setresuid, 5, 6, 7));
	compare_over_checkpoint();
}

static void daemon_user(void *arg)
{
	gid_t groups[40];

	(void)arg;
	for (int i = 0; i < 40; i++)
		groups[i] = 40000 - i * 3;
	must(setgroups(40, groups));
	must(setresgid(65534, 65534, 65534));
	must(setresuid(65534, 65534, 65534));
	must(prctl(PR_SET_DUMPABLE, 1));
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	compare_over_checkpoint();
	check(setuid(0) < 0 && errno == EPERM);
}

int main(void)
{
	settled = shared_alloc(4096);
	task_run(daemon_user, NULL);
	thread_run(thread_caps, NULL);
	thread_run(thread_ids, NULL);
	thread_run(thread_securebits, NULL);
	checkpoint();
	check(!geteuid());
	return test_end();
}
