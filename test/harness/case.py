"""One test in one mode: start the body, dump, restore or resume, compare, let it check, collect its status."""
import contextlib
import difflib
import hashlib
import importlib.machinery
import importlib.util
import os
import shutil
import signal
import subprocess
import time

from . import proc

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BODY_TIMEOUT_S = 30
MAX_DIFF_LINES = 200
MODES = {"restore": 1, "running": 1, "cycles": 3, "again": 1}       # number of dumps


def load_fingerprint():
    path = os.path.join(HERE, "fingerprint")
    loader = importlib.machinery.SourceFileLoader("fingerprint", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("fingerprint", loader))
    loader.exec_module(module)
    return module.fingerprint


FINGERPRINT = load_fingerprint()


class Failed(Exception):
    """The test failed; the text says in what and is printed with the logs."""


class Skipped(Exception):
    pass


class Case:
    def __init__(self, options, body, mode, work):
        self.options, self.body, self.mode, self.work = options, body, mode, work
        self.cwd, self.log = os.path.join(work, "cwd"), os.path.join(work, "log")
        self.statuses = {}
        self.mappings = None    # per task after the first cycle
        self.problems = []      # failures after which the test can go on and tell more
        self.moves = body.has("moves")
        self.runs = body.has("spins") or body.has("busy") or self.moves
        os.mkdir(self.cwd)

    # --- processes: every child of this process is reaped here, whoever made it ------------------
    def reap(self, wanted):
        """Waits for one child and keeps the statuses of all others that end meanwhile."""
        while wanted not in self.statuses:
            try:
                pid, code = os.waitpid(-1, 0)
            except ChildProcessError:
                raise Failed(f"task {wanted} vanished: it is not a child of the runner") from None
            self.statuses[pid] = os.waitstatus_to_exitcode(code)
        return self.statuses.pop(wanted)

    def start(self):
        """The body as a daemon is: its own session without tty, /dev/null, one log for stdout and stderr."""
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            null = os.open("/dev/null", os.O_RDONLY)
            log = os.open(self.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            for new, old in ((0, null), (1, log), (2, log)):
                os.dup2(old, new)
            os.closerange(3, 1024)
            os.chdir(self.cwd)
            os.umask(0o022)
            for number in range(1, 65):
                if number not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                    signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, [])
            env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": self.cwd, "LC_ALL": "C"}
            os.execve(self.body.binary, [self.body.binary, *self.body.args], env)
        finally:
            os._exit(126)

    def tool(self, *args):
        """Runs the tool to its end. Its output goes to a file, shown when something fails."""
        command = [self.options.tool, *args]
        with open(os.path.join(self.work, "tool.log"), "ab") as out:
            out.write(("$ " + " ".join(command) + "\n").encode())
            out.flush()
            null = os.open("/dev/null", os.O_RDONLY)
            pid = os.posix_spawn(command[0], command, dict(os.environ), file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, out.fileno(), 2)])
            os.close(null)
        self.statuses.pop(pid, None)        # of a task that had the number before
        code = self.reap(pid)
        if code:
            raise Failed(f"{self.options.tool} {args[0]} gives {code}")

    # --- the steps -----------------------------------------------------------------------------
    def look(self, root):
        """Fingerprint plus the files of the test: the tool must leave none."""
        if self.moves:
            return ""
        files = sorted(os.path.join(d, f)[len(self.cwd):] for d, _, names in os.walk(self.cwd) for f in names)
        text = FINGERPRINT(root, self.runs, not self.body.has("timeouts"))
        if self.body.has("versions"):
            text = "".join(line for line in text.splitlines(True) if " pages shared by tasks " not in line)
        return text + "".join(f"file {f}\n" for f in files)

    def wait_ready(self, root, when):
        if self.moves:
            ready = proc.until(lambda: None if proc.ended(root) else proc.is_ready(root, False), 10)
        else:
            ready = proc.wait_ready(root, self.body.has("spins"), self.body.has("busy"))
        if ready:
            return
        if proc.status(f"/proc/{root}").get("State", "Z")[0] not in "ZX":
            lines = [f"{pid}/{tid} {state} {call.strip()}" for pid, tid, state, _, call in proc.activity(root)]
            raise Failed(f"the tree is not quiet {when}:\n" + "\n".join(lines))
        code = self.reap(root)
        if code == 77:
            last = proc.read(self.log).strip().splitlines()[-1:]
            raise Skipped((last or ["no reason given"])[0].removeprefix("SKIP "))
        raise Failed(f"the body ended {when}, status {code}")

    def cycle(self, root, number):
        before, states = self.look(root), proc.states(root)
        images = os.path.join(self.options.images, f"{os.path.basename(self.work)}-{number}")
        os.mkdir(images, 0o700)
        if self.body.values("refused") and not self.options.dry:
            self.refuse(root, images, before)
        elif not self.options.dry:
            self.dump_and_back(root, images, before)
        if not self.options.keep:
            shutil.rmtree(images)
        self.wait_ready(root, "after the " + ("resume" if self.mode == "running" else "restore"))
        if not self.runs:
            proc.until(lambda: proc.states(root) == states, 2)      # the fingerprint tells what does not come
        after = self.look(root)
        if before != after and not self.body.has("moves"):
            self.problems.append("the fingerprint differs\n" + difference(before, after))

    def harm(self, root, before):
        """After a dump that failed the tree must be as it was."""
        try:
            self.wait_ready(root, "after the failed dump")
        except Failed as e:
            return f"\nHARM: {e}"
        after = self.look(root)
        return "" if before == after else "\nHARM by the failed dump\n" + difference(before, after)

    def refuse(self, root, images, before):
        """What the tool cannot save it refuses by name, and the tree goes on unharmed."""
        try:
            self.tool("dump", "-t", str(root), "-D", images)
        except Failed as e:
            if not str(e).endswith(" gives 1"):
                raise
        else:
            raise Failed("the dump must refuse this")
        said = proc.read(os.path.join(self.work, "tool.log"))
        missing = [text for text in self.body.values("refused") if text not in said]
        if missing or f"task {root}" not in said and "task" not in said:
            raise Failed(f"the refusal does not name {missing}")
        harm = self.harm(root, before)
        if harm:
            raise Failed(harm)

    def dump_and_back(self, root, images, before):
        extra = self.options.dump_arg + self.body.values("dump")
        running = ["-R"] if self.mode == "running" else []
        tree = proc.tree(root)
        try:
            self.tool("dump", "-t", str(root), "-D", images, *running, *extra)
        except Failed as e:
            if self.body.has("refused"):
                harm = self.harm(root, before).strip()
                self.problems += [harm] if harm else []
                return
            raise Failed(f"{e}{self.harm(root, before)}") from None
        if self.body.has("refused"):
            raise Failed("the dump should have been refused")
        if running:
            return
        code = self.reap(root)
        if code != -signal.SIGKILL:
            raise Failed(f"the dumped root ended with {code}")
        left = [pid for pid in tree if not self.is_gone(pid)]
        if left:
            raise Failed(f"tasks {left} live on after the dump")
        self.restore(root, images)
        if self.mode == "again":
            images_before = self.hashes(images)
            for _ in range(self.times(1, "again")):
                self.wait_ready(root, "after the first restore")
                self.kill_tree(root)
                self.restore(root, images)
            if self.hashes(images) != images_before:
                self.problems.append("restoring changed the images")

    def restore(self, root, images):
        pidfile = os.path.join(images, "pidfile")
        if self.body.has("forgets") and not self.options.host:
            subprocess.run(["ipcrm", "-a"], check=True)             # of the test's own namespace
        extra = self.options.restore_arg + self.body.values("restore")
        self.tool("restore", "-D", images, "-d", "--pidfile", pidfile, *extra)
        if proc.read(pidfile).strip() != str(root):
            self.problems.append(f"pidfile says {proc.read(pidfile)!r}, the root is {root}")
        if root not in proc.children(os.getpid()):
            raise Failed(f"the restored root {root} is not a child of the caller's subreaper")

    def kill_tree(self, root):
        """As a crash would: the root first, and what is left of it when it is reaped."""
        tree = proc.tree(root)
        for pid in tree:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.reap(root)
        left = [pid for pid in tree if not self.is_gone(pid)]
        if left:
            raise Failed(f"tasks {left} do not die")

    def is_gone(self, pid):
        """Orphans come to this process when their parent was killed: reap them until the number is free."""
        def look():
            if not os.path.exists(f"/proc/{pid}"):
                return True
            try:
                other, code = os.waitpid(-1, os.WNOHANG)
                if other:
                    self.statuses[other] = os.waitstatus_to_exitcode(code)
            except ChildProcessError:
                pass
            return False
        return proc.until(look, 5)

    def times(self, default, mode):
        """How often: a body may ask for more than the mode does (cycles=10, again=10)."""
        return int((self.body.values(mode) or [default])[0]) if self.mode == mode else default

    def count_mappings(self, root):
        """From the first restore on (neighbours may merge there) a tree must not gain mappings."""
        if self.mode != "cycles" or self.body.has("moves"):
            return
        now = {pid: proc.read(f"/proc/{pid}/maps").count("\n") for pid in proc.tree(root)}
        self.mappings = self.mappings or now
        more = [f"task {p}: {self.mappings[p]} -> {n}" for p, n in now.items() if n > self.mappings.get(p, n)]
        if more:
            self.problems.append("the number of mappings grows: " + ", ".join(more))

    def hashes(self, images):
        out = {}
        for name in sorted(os.listdir(images)):
            if name.endswith((".img", ".late")):
                with open(os.path.join(images, name), "rb") as f:
                    out[name] = hashlib.sha256(f.read()).hexdigest()
        return out

    def run(self):
        if not os.access(self.body.binary, os.X_OK):
            raise Failed(f"{self.body.binary} is not built (make bodies)")
        root = self.start()
        self.wait_ready(root, "before the checkpoint")
        self.statuses.clear()
        for number in range(self.times(MODES[self.mode], "cycles")):
            self.cycle(root, number)
            self.count_mappings(root)
        os.kill(root, proc.GO_SIGNAL)
        code = self.reap(root)
        if code:
            self.problems.append(f"the body gives status {code}")
        left = proc.kill_children()
        if left:
            self.problems.append(f"processes left behind: {', '.join(left)}")


def difference(before, after):
    diff = difflib.unified_diff(before.splitlines(), after.splitlines(), "before", "after", "", "", 2, "")
    lines = [line[:400] for line in with_owner(diff, before)]
    more = [f"... {len(lines) - MAX_DIFF_LINES} more lines"] if len(lines) > MAX_DIFF_LINES else []
    return "\n".join(lines[:MAX_DIFF_LINES] + more)


def with_owner(diff, text):
    """Puts the task, mapping or descriptor a differing line belongs to in front of each hunk."""
    lines = text.splitlines()
    for line in diff:
        yield line
        if line.startswith("@@"):
            at = int(line.split()[1].partition(",")[0][1:]) - 1
            chain, depth = [], 99
            for above in reversed(lines[:at + 1]):
                own = len(above) - len(above.lstrip())
                if own < depth:
                    depth = own
                    chain.insert(0, above.strip())
            yield "   in " + " / ".join(c[:60] for c in chain[:-1])


def run_case(options, body, mode, work):
    """Gives (outcome, text, seconds). Runs in a process of its own that is a subreaper or pid 1."""
    def expire(*_):
        raise Failed(f"not done within {BODY_TIMEOUT_S} s")

    begin = time.monotonic()
    case = Case(options, body, mode, work)
    signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, BODY_TIMEOUT_S)
    try:
        case.run()
        outcome, text = "FAIL" if case.problems else "ok", ""
    except Skipped as e:
        outcome, text = "skip", str(e)
    except Failed as e:
        outcome, text = "FAIL", str(e)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        proc.kill_children()
    text = "\n".join(case.problems + [text] if text else case.problems)
    for name in ("log", "tool.log"):
        content = proc.read(os.path.join(work, name)).strip()
        if outcome == "FAIL" and content:
            text += f"\n--- {name}\n" + content[-6000:]
    return outcome, text, time.monotonic() - begin
