/*
 * Zombies in special places: the leader of a session and its group while members live on, the child
 * of a parent that ignores SIGCHLD since, zombies of other users (shown by waitid and in the
 * pending SIGCHLD), and a SIGCHLD that is pending exactly where it was.
 */
#include "test.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { USER = 1234 };

static pid_t user_zombie(int code, uid_t uid)
{
	pid_t pid = must(fork());
	siginfo_t info;

	if (!pid) {
		must(setresuid(uid, uid, uid));
		_exit(code);
	}
	must(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	must_true(info.si_uid == uid);
	return pid;
}

static void member(void *arg)
{
	pid_t *sid = arg;

	sid[1] = getpid();
	checkpoint_wait();
	check(getsid(0) == *sid && getpgid(0) == *sid, "session %d group %d", getsid(0),
	      getpgid(0));
}

/* A session whose leader is a zombie: its member became a child of the root. */
static pid_t dead_session(pid_t *sid)
{
	siginfo_t info;
	pid_t pid = must(fork());

	if (!pid) {
		*sid = must(setsid());
		task_run(member, sid);
		_exit(130);
	}
	must(waitid(P_PID, pid, &info, WEXITED | WNOWAIT));
	return pid;
}

static void ignoring(void *arg)
{
	pid_t pid = user_zombie(140, 0);
	int status;

	(void)arg;
	must_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	checkpoint_wait();
	check(waitpid(pid, &status, WNOHANG) == pid && WEXITSTATUS(status) == 140);
	check(signal(SIGCHLD, SIG_DFL) == SIG_IGN);
}

static void with_pending(void *arg)
{
	siginfo_t info = { 0 };
	sigset_t chld;
	pid_t pid;

	(void)arg;
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	must(sigprocmask(SIG_BLOCK, &chld, NULL));
	pid = user_zombie(222, USER);
	checkpoint_wait();
	check(sigtimedwait(&chld, &info, &(struct timespec){ 0, 0 }) == SIGCHLD);
	check(info.si_pid == pid && info.si_uid == USER && info.si_code == CLD_EXITED &&
		      info.si_status == 222,
	      "pid %d uid %d code %d status %d", info.si_pid, info.si_uid, info.si_code,
	      info.si_status);
	check(sigtimedwait(&chld, &info, &(struct timespec){ 0, 0 }) < 0 && errno == EAGAIN);
	check(waitpid(pid, NULL, 0) == pid);
}

int main(void)
{
	pid_t *sid = shared_alloc(4096), *sid_member = sid + 1, leader, user;
	siginfo_t info;
	int status;

	must(prctl(PR_SET_CHILD_SUBREAPER, 1));
	checkpoint_prepare();
	leader = dead_session(sid);
	user = user_zombie(201, USER);
	task_run(ignoring, NULL);
	task_run(with_pending, NULL);
	checkpoint();
	check(!waitid(P_PID, user, &info, WEXITED) && info.si_uid == USER && info.si_status == 201,
	      "uid %d status %d", info.si_uid, info.si_status);
	check(waitpid(leader, &status, 0) == leader && WEXITSTATUS(status) == 130);
	check(waitpid(*sid_member, &status, 0) == *sid_member && status == 0, "%#x", status);
	return test_end();
}
