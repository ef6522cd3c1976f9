/* Looking things up in the model of a process tree. */
#include "core/task.h"

#include <stddef.h>

struct thread *task_main(const struct task *t)
{
	vec_foreach(th, &t->thread)
		if (!(*th)->dead)
			return *th;
	return NULL;
}

struct task *tree_find(const struct tree *t, pid_t pid)
{
	vec_foreach(task, &t->task)
		if ((*task)->pid == pid)
			return *task;
	return NULL;
}

struct thread *tree_find_thread(const struct tree *t, pid_t tid)
{
	vec_foreach(th, &t->thread)
		if ((*th)->tid == tid)
			return *th;
	return NULL;
}
