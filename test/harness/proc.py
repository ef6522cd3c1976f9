"""What the runner knows about live tasks: the tree, readiness, reaping; and the system calls Python lacks."""
import ctypes
import fcntl
import os
import signal
import socket
import struct
import time

LIBC = ctypes.CDLL(None, use_errno=True)
GO_SIGNAL = 62
NR_RT_SIGSUSPEND = 130
NR_VFORKS = "56", "58", "435"           # clone, vfork, clone3
# SigBlk of a task that sleeps in checkpoint(): all but the go signal, and the two that nobody can block.
READY_MASK = (1 << 64) - 1 & ~(1 << GO_SIGNAL - 1 | 1 << signal.SIGKILL - 1 | 1 << signal.SIGSTOP - 1)
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME = 0x20000, 0x20000000, 0x80
CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNET = 0x04000000, 0x08000000, 0x40000000
MS_REC, MS_PRIVATE, MS_NODEV_NOSUID_NOEXEC = 0x4000, 1 << 18, 0xe


def libc(name, *args):
    if getattr(LIBC, name)(*args) < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{name}: {os.strerror(error)}")


def prctl(option, value):
    libc("prctl", option, ctypes.c_ulong(value), 0, 0, 0)


def mount(source, target, kind, flags, options=None):
    libc("mount", source.encode(), target.encode(), kind.encode() if kind else None, ctypes.c_ulong(flags),
         options.encode() if options else None)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as f:
            return f.read()
    except OSError:
        return ""


def threads(pid):
    try:
        return sorted(int(t) for t in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def children(pid):
    return [int(c) for tid in threads(pid) for c in read(f"/proc/{pid}/task/{tid}/children").split()]


def tree(root):
    out, queue = [], [root]
    while queue:
        pid = queue.pop()
        out.append(pid)
        queue += children(pid)
    return out


def status(path):
    return dict(line.split(":\t", 1) for line in read(path + "/status").splitlines() if ":\t" in line)


def activity(root):
    """(tid, state, context switches, pc) of every thread: a tree is quiet when two looks give the same, and nobody runs."""
    out = []
    for pid in tree(root):
        for tid in threads(pid):
            s = status(f"/proc/{pid}/task/{tid}")
            switches = s.get("voluntary_ctxt_switches"), s.get("nonvoluntary_ctxt_switches")
            out.append((pid, tid, s.get("State", "X")[0], switches, read(f"/proc/{pid}/task/{tid}/syscall")))
    return sorted(out)


def sleeps_in_checkpoint(pid):
    call = read(f"/proc/{pid}/syscall").split()
    return call[:1] == [str(NR_RT_SIGSUSPEND)] and int(status(f"/proc/{pid}").get("SigBlk", "0"), 16) == READY_MASK


def ended(pid):
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] in ([], ["Z"])


def condemned(pid):
    """A SIGKILL waits for it, or it is on its way out: it has not come to its end yet, but will."""
    flags = read(f"/proc/{pid}/stat").rpartition(")")[2].split()[6:7]
    fatal, exiting = 1 << signal.SIGKILL - 1, 0x4 | 0x400       # PF_EXITING, PF_SIGNALED
    s = status(f"/proc/{pid}")
    pending = int(s.get("SigPnd", "0"), 16) | int(s.get("ShdPnd", "0"), 16)
    return not ended(pid) and bool(pending & fatal or int((flags or ["0"])[0]) & exiting)


def is_ready(pid, spins):
    """A body whose first thread never sleeps says so by its name instead."""
    if spins:
        return read(f"/proc/{pid}/comm").strip() == "spinning"
    return sleeps_in_checkpoint(pid)


def states(root):
    return {(pid, tid): (state, call.split()[:1]) for pid, tid, state, _, call in activity(root)}


def until(condition, timeout_s):
    """Polls with pauses of at most a millisecond; false when the time is over or condition() gives None."""
    end, pause = time.monotonic() + timeout_s, 0.0001
    while time.monotonic() < end:
        result = condition()
        if result or result is None:
            return bool(result)
        time.sleep(pause)
        pause = min(pause * 2, 0.001)
    return False


def wait_ready(root, spins, busy, timeout_s=10):
    """False when the body ended or the time is over. The caller is its parent: an ended one is a zombie.

    spins: the first thread never sleeps; busy: other threads never do. The sleeping ones must be quiet in any case.
    """
    last = [None]

    def look():
        if ended(root):
            return None
        if not is_ready(root, spins):
            return False
        now = [a for a in activity(root) if not ((spins or busy) and a[2] == "R")]
        # A vfork that waits for its child sleeps in D for as long as the child likes.
        quiet = now == last[0] and all(a[2] not in "RD" or a[4].split()[0] in NR_VFORKS for a in now)
        last[0] = now
        return quiet
    return until(look, timeout_s)


def kill_children():
    """Kills and reaps everything below this process, which must be a subreaper or pid 1. Gives what was alive."""
    killed = []
    while True:
        for pid in [p for top in children(os.getpid()) for p in tree(top)]:
            if status(f"/proc/{pid}").get("State", "Z")[0] not in "ZX":
                killed.append(f"{pid} {read(f'/proc/{pid}/comm').strip()}")
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        try:
            while True:
                os.waitpid(-1, 0)
        except ChildProcessError:
            if not children(os.getpid()):
                return sorted(set(killed))


def pid1_reap(child):
    """Body of a small pid 1: reaps everything, ends with the status of one child."""
    while True:
        pid, code = os.waitpid(-1, 0)
        if pid == child:
            return os.waitstatus_to_exitcode(code)


def loopback_up():
    """A new network namespace starts with its loopback down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", 1))       # SIOCSIFFLAGS, IFF_UP
