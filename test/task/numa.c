/* The memory policy of threads: default in the first, bound and preferring in others. */
#include "test.h"

#include <linux/mempolicy.h>
#include <sys/syscall.h>

static int mode_now(unsigned long *ret_nodes)
{
	int mode = -1;

	*ret_nodes = 0;
	must(syscall(SYS_get_mempolicy, &mode, ret_nodes, 64 * 16, 0, 0));
	return mode;
}

static void with_policy(void *arg)
{
	unsigned long node = 1, nodes[16] = { 0 };
	int mode = *(int *)arg;

	must(syscall(SYS_set_mempolicy, mode, &node, 2));
	checkpoint_wait();
	check(mode_now(nodes) == mode && nodes[0] == node, "%lx", nodes[0]);
}

int main(void)
{
	static int bind = MPOL_BIND | MPOL_F_STATIC_NODES, preferred = MPOL_PREFERRED;
	unsigned long nodes[16];

	if (syscall(SYS_get_mempolicy, NULL, NULL, 0, 0, 0) < 0 && errno == ENOSYS)
		skip("no NUMA");
	thread_run(with_policy, &bind);
	thread_run(with_policy, &preferred);
	checkpoint();
	check(mode_now(nodes) == MPOL_DEFAULT);
	return test_end();
}
