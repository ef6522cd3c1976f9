/*
 * Objects of the ipc namespace: System V memory, semaphores and messages, POSIX message queues. The
 * check removes them; who inherited one over a fork is the only one to check it.
 */
#include "factory.h"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { SIZE = 12345 };

static void make_shm(struct object *o)
{
	char *map;

	o->note[0] = must(shmget(IPC_PRIVATE, SIZE, IPC_CREAT | 0600));
	map = must_ptr(shmat((int)o->note[0], NULL, 0));
	pattern_fill(map, SIZE, o->seed);
	o->note[1] = (long)map;
}

static void check_shm(struct object *o)
{
	char *map = (char *)o->note[1];
	struct shmid_ds s;

	check(!shmctl((int)o->note[0], IPC_STAT, &s) && s.shm_segsz == SIZE);
	check(pattern_ok(map, SIZE, o->seed) && !shmctl((int)o->note[0], IPC_RMID, NULL));
	check(!shmdt(map));
}

static void make_sem(struct object *o)
{
	o->note[0] = must(semget(IPC_PRIVATE, 3, IPC_CREAT | 0600));
	must(semop((int)o->note[0], &(struct sembuf){1, (short)o->seed, 0}, 1));
}

static void check_sem(struct object *o)
{
	unsigned short value[3] = {0};

	check(!semctl((int)o->note[0], 0, GETALL, value));
	check(!value[0] && value[1] == o->seed && !value[2], "%u", value[1]);
	check(!semctl((int)o->note[0], 0, IPC_RMID));
}

struct message {
	long type;
	char text[16];
};

static void make_msg(struct object *o)
{
	struct message m = {(long)o->seed, "first"};

	o->note[0] = must(msgget(IPC_PRIVATE, IPC_CREAT | 0600));
	must(msgsnd((int)o->note[0], &m, 6, 0));
	m = (struct message){(long)o->seed + 1, "second"};
	must(msgsnd((int)o->note[0], &m, 7, 0));
}

static void check_msg(struct object *o)
{
	struct message m;

	check(msgrcv((int)o->note[0], &m, 16, (long)o->seed + 1, IPC_NOWAIT) == 7);
	check(!strcmp(m.text, "second"));
	check(msgrcv((int)o->note[0], &m, 16, 0, IPC_NOWAIT) == 6 && !strcmp(m.text, "first"));
	check(!msgctl((int)o->note[0], IPC_RMID, NULL));
}

static void make_mqueue(struct object *o)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 32};
	char name[80];

	snprintf(name, sizeof(name), "/%s-%d", o->name, getpid());
	o->fd[0] = must(mq_open(name, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, 0600, &attr));
	must(mq_unlink(name));
	must(mq_send(o->fd[0], "low", 3, 1));
	must(mq_send(o->fd[0], "high", 4, 9));
}

static void check_mqueue(struct object *o)
{
	char buf[32] = "";

	check(mq_receive(o->fd[0], buf, 32, NULL) == 4 && !strcmp(buf, "high"));
	check(mq_receive(o->fd[0], buf, 32, NULL) == 3 && !strncmp(buf, "low", 3));
	check(mq_receive(o->fd[0], buf, 32, NULL) < 0 && errno == EAGAIN);
}

const struct factory ipc_factories[] = {
	{"sysv-shm", make_shm, check_shm, NULL},
	{"sysv-sem", make_sem, check_sem, NULL},
	{"sysv-msg", make_msg, check_msg, NULL},
	{"mqueue", make_mqueue, check_mqueue, NULL},
	{0},
};
