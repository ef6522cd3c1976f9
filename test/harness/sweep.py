"""One body under the fault sweep or the kill test: the tool is run again and again, and fails or dies at another operation
each time. What must hold afterwards is checked at once (docs/testing.md, "Harm")."""
import contextlib
import hashlib
import os
import re
import shutil
import signal
import time

from . import case, proc

TOOL_TIMEOUT_S = 20
DUMP_ROLES, RESTORE_ROLES = ("dump", "victim", "prog"), ("restore", "opener", "self", "prog")
KILL = "kill"


class Violation(Exception):
    """What must hold after a fault does not; the rest of this body cannot be judged any more."""


class Hang(Exception):
    pass


def digest(directory):
    """The images by name and content; logs, pid files and journals are none."""
    out = {}
    for name in sorted(os.listdir(directory)):
        if name.endswith((".img", ".late")):
            with open(os.path.join(directory, name), "rb") as f:
                out[name] = hashlib.blake2b(f.read()).hexdigest()
    return out


class Sweep(case.Case):
    """A body that lives through many faulted runs of the tool; `images` hold its last good checkpoint."""

    def __init__(self, options, body, work):
        super().__init__(options, body, "restore", work)
        self.images = os.path.join(options.images, os.path.basename(work))
        self.counts = {"run": 0, "failed": 0, "absorbed": 0, "killed": 0, "leftover": 0, "residue": 0}
        self.root, self.before, self.states, self.visited, self.last = 0, "", {}, [], ""
        self.end = time.monotonic() + options.budget

    # --- the body and the tool ------------------------------------------------------------------
    def begin(self):
        self.root = self.start()
        self.wait_ready(self.root, "before the sweep")
        # What a faultless cycle changes is the subject of test/run, not of the sweep.
        shutil.rmtree(self.images, ignore_errors=True)
        if self.dump():
            raise case.Failed(f"the dump without fault fails: {self.output()}")
        self.nobody_left()
        if self.restore_run():
            raise case.Failed(f"the restore without fault fails: {self.output()}")
        self.wait_ready(self.root, "after a cycle without fault")
        self.states, self.before = proc.states(self.root), self.look(self.root)

    def run_tool(self, fault, *args, after_s=None):
        """Gives the status; negative: ended by that signal. `after_s`: SIGKILL comes after that time."""
        env = dict(os.environ)
        if fault:
            env["TORPOR_FAULT"] = fault
        self.last = f"{'TORPOR_FAULT=' + fault + ' ' if fault else ''}torpor {' '.join(args)}"
        with open(os.path.join(self.work, "tool.log"), "wb") as out:
            null = os.open("/dev/null", os.O_RDONLY)
            pid = os.posix_spawn(self.options.tool, [self.options.tool, *args], env, file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, out.fileno(), 2)])
            os.close(null)
        self.statuses.pop(pid, None)        # of a task that had the number before
        if after_s is not None:
            time.sleep(after_s)
            os.kill(pid, signal.SIGKILL)
        return self.await_tool(pid)

    def await_tool(self, pid):
        """Reaps whatever ends meanwhile: the tool waits for that of the root it has killed."""
        def expire(*_):
            raise Hang()

        signal.signal(signal.SIGALRM, expire)
        signal.setitimer(signal.ITIMER_REAL, TOOL_TIMEOUT_S)
        try:
            return self.reap(pid)
        except Hang:
            where = "\n".join(f"{p}/{t} {s} {proc.read(f'/proc/{p}/task/{t}/wchan')} {c.strip()}"
                              for p, t, s, _, c in proc.activity(os.getpid()))
            os.kill(pid, signal.SIGKILL)
            self.reap(pid)
            raise Violation(f"the tool hangs\n{where}") from None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def output(self):
        lines = proc.read(os.path.join(self.work, "tool.log")).strip().splitlines()
        return "\n".join(line for line in lines if not line.startswith("fault: "))[-1500:]

    def dump(self, fault=None, running=False, after_s=None):
        extra = self.options.dump_arg + self.body.values("dump") + (["-R"] if running else [])
        os.makedirs(self.images, 0o700, exist_ok=True)
        return self.run_tool(fault, "dump", "-t", str(self.root), "-D", self.images, *extra, after_s=after_s)

    def restore_run(self, fault=None, after_s=None):
        extra = self.options.restore_arg + self.body.values("restore")
        return self.run_tool(fault, "restore", "-d", "-D", self.images, *extra, after_s=after_s)

    # --- what must hold -------------------------------------------------------------------------
    def files(self):
        return sorted(os.path.join(d, f)[len(self.cwd):] for d, _, names in os.walk(self.cwd) for f in names)

    def look(self, root):
        """Which relatives share a page changes with every write of the tool; test/run has an eye on it."""
        return "".join(line for line in super().look(root).splitlines(True) if "pages shared by tasks" not in line)

    def alive(self, pid):
        return proc.status(f"/proc/{pid}").get("State", "Z")[0] not in "ZX"

    def tool_lives(self):
        return any(proc.read(f"/proc/{p}/comm").strip() == "torpor" and self.alive(p)
                   for p in proc.children(os.getpid()))

    def committed(self):
        return os.path.exists(os.path.join(self.images, "commit.img"))

    def check_killed(self):
        """What a killed dump may leave, nothing of which the program can see, and the next dump takes it away."""
        try:
            self.wait_ready(self.root, "after the kill")
        except case.Failed as e:
            raise Violation(f"HARM: {e}") from None
        if not self.runs:
            proc.until(lambda: proc.states(self.root) == self.states, 2)
        after = self.look(self.root)
        if after == self.before:
            return
        self.counts["residue"] += 1
        if without_residue(after) != without_residue(self.before):
            raise Violation("HARM: the fingerprint differs\n" + case.difference(self.before, after))
        if self.dump(running=True):
            raise Violation(f"the next dump fails: {self.output()}")
        self.check_unharmed()

    def check_unharmed(self):
        try:
            self.wait_ready(self.root, "after the fault")
        except case.Failed as e:
            raise Violation(f"HARM: {e}") from None
        if not self.runs:
            proc.until(lambda: proc.states(self.root) == self.states, 2)
        after = self.look(self.root)
        if after != self.before:
            raise Violation("HARM: the fingerprint differs\n" + case.difference(self.before, after))

    def nobody_left(self):
        """Everything below the harness dies and can be reaped: the tool is gone, its children must follow."""
        def look():
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            return not proc.children(os.getpid())
        if not proc.until(look, 5):
            left = [f"{p} {s} {c.strip()}" for p, t, s, _, c in proc.activity(os.getpid()) if p != os.getpid()]
            raise Violation("processes are left:\n" + "\n".join(left))

    def end_tree(self):
        for pid in [p for top in proc.children(os.getpid()) for p in proc.tree(top)]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.nobody_left()

    def back(self, when):
        """A restore without fault, after which the body is as it was."""
        code = self.restore_run()
        if code:
            raise Violation(f"the restore {when} gives {code}: {self.output()}")
        try:
            self.check_unharmed()
        except Violation as e:
            raise Violation(f"{e}\nrestored {when}") from None

    # --- dump -----------------------------------------------------------------------------------
    def after_dump(self, code, fault):
        self.counts["run"] += 1
        if code == 0:
            self.counts["absorbed"] += 1
            self.nobody_left()
            self.back("after a dump that absorbed the fault")
            return
        if code < 0 and not (code == -signal.SIGKILL and fault.endswith(KILL)):
            raise Violation(f"the tool ended by signal {-code}")
        self.counts["killed" if code < 0 else "failed"] += 1
        if code > 0 and not self.output():
            raise Violation("the dump fails without a word")
        if code < 0:
            # What it has started to put a terminal right outlives it, for a moment; so does a SIGKILL on its way.
            proc.until(lambda: not self.tool_lives(), 5)
            if self.committed():
                proc.until(lambda: not any(proc.condemned(p) for p in self.tree), 5)
        gone = [p for p in self.tree if not self.alive(p)]
        if gone and self.committed():
            self.end_tree()             # the order to kill had been given: the checkpoint is what counts
            self.back("after a dump that was interrupted behind its commit")
            return
        if code < 0:
            self.check_killed()
        else:
            self.check_unharmed()
        left = sorted(os.listdir(self.images))
        if code > 0 and self.committed():
            raise Violation(f"a dump that failed left a checkpoint: {left}")
        if left:
            self.counts["leftover"] += 1
            if self.dump(running=True):
                raise Violation(f"the next dump fails over {left}: {self.output()}")
            self.check_unharmed()
            shutil.rmtree(self.images)

    def one_dump(self, fault, after_s=None):
        shutil.rmtree(self.images, ignore_errors=True)
        self.tree = [p for p in proc.tree(self.root) if self.alive(p)]
        self.after_dump(self.dump(fault, after_s=after_s), fault or KILL)

    # --- restore --------------------------------------------------------------------------------
    def after_restore(self, code, fault, hashes):
        self.counts["run"] += 1
        if code == 0:
            self.counts["absorbed"] += 1
            self.check_unharmed()
            self.end_tree()
        elif code < 0 and not (code == -signal.SIGKILL and fault.endswith(KILL)):
            raise Violation(f"the tool ended by signal {-code}")
        elif code < 0 and self.survived():
            self.counts["killed"] += 1
            self.check_unharmed()
            self.end_tree()
        else:
            self.counts["killed" if code < 0 else "failed"] += 1
            if code > 0 and not self.output():
                raise Violation("the restore fails without a word")
            self.nobody_left()
        if digest(self.images) != hashes:
            raise Violation("the images were changed")
        left = [f for f in self.files() if f not in self.own_files]
        left += [f for f in os.listdir(self.images) if not f.endswith((".img", ".late"))]
        self.counts["leftover"] += bool(left)
        if left and code > 0 and "journal" not in left:
            raise Violation(f"a restore that failed left {left}")
        if left or self.counts["run"] % 16 == 0:
            journal = proc.read(os.path.join(self.images, "journal"))
            self.back(f"after this one (left: {left})\n{journal}")
            if self.files() != self.own_files:
                raise Violation(f"the next restore does not remove {left}\n{journal}")
            self.end_tree()

    def survived(self):
        """Killed behind the commit: the tree runs. Anything else dies with the tool, which may take a moment."""
        end = time.monotonic() + 5
        while time.monotonic() < end:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if self.root not in proc.children(os.getpid()):
                return False
            # The tool's guard ends what the tool had released before its commit.
            if self.tool_lives():
                time.sleep(0.001)
                continue
            if all(self.alive(p) for p in self.tree) and not any(
                    proc.status(f"/proc/{p}").get("TracerPid", "1") != "0" for p in self.tree) \
                    and proc.is_ready(self.root, self.body.has("spins")):
                return True
            time.sleep(0.001)
        return True

    def one_restore(self, fault, hashes, after_s=None):
        self.after_restore(self.restore_run(fault, after_s=after_s), fault or KILL, hashes)

    # --- all of them ----------------------------------------------------------------------------
    def count(self, run, roles):
        """(role, n) to visit: the first call of each place, then the others in an even order."""
        os.makedirs(self.images, 0o700, exist_ok=True)
        code = run(f"{roles[0]}:0")
        if code:
            raise Violation(f"the counting run gives {code}: {self.output()}")
        text = proc.read(os.path.join(self.work, "tool.log"))
        total = {r: int(n) for r, n in re.findall(r"^fault: ([a-z]+) (\d+)$", text, re.M)}
        places = [(r, int(n), p) for r, n, p in re.findall(r"^fault: place ([a-z]+) (\d+) (\w+)$", text, re.M) if r in roles]
        places = sorted((r, n) for r, n, p in places if p not in self.options.seen)
        self.visited += re.findall(r"^fault: place [a-z]+ \d+ (\w+)$", text, re.M)
        seen = set(places)
        rest = [(r, n) for r in roles for n in range(1, total.get(r, 0) + 1) if (r, n) not in seen]
        return {r: total.get(r, 0) for r in roles}, places, spread(rest)

    def visit(self, phase, actions, places, rest, one):
        """Every place once with the first action, then all by turns until the time is over."""
        work = [(r, n, a) for a in actions for r, n in places]
        work += [(r, n, actions[i % len(actions)]) for i, (r, n) in enumerate(rest)] if not self.options.all else \
                [(r, n, a) for a in actions for r, n in rest]
        if self.options.fault:
            work = [tuple(f.split(":")) for f in self.options.fault if f.split(":")[0] in
                    (DUMP_ROLES if phase == "dump" else RESTORE_ROLES)]
        done = 0
        for role, n, action in work:
            if time.monotonic() > self.end:
                break
            fault = f"{role}:{n}:{action}"
            if phase == "dump" and role == "prog" and action == KILL:
                continue                # would be the target's own end
            try:
                one(fault)
            except Violation as e:
                self.problems.append(f"{phase} {fault}: {e}\n--- {self.last}\n{self.output()}")
                self.revive(phase)
                if len(self.problems) >= self.options.max_problems:
                    break
            done += 1
        return done, len(work)

    def revive(self, phase):
        """After a violation: a fresh body for the dump, nobody for the restore."""
        proc.kill_children()
        self.statuses.clear()
        for name in self.files() if phase == "dump" else []:
            os.unlink(self.cwd + name)
        if phase == "dump":
            shutil.rmtree(self.images, ignore_errors=True)
            self.begin()

    def sweep(self, actions):
        total = time.monotonic()
        budget = self.options.budget
        self.end = total + budget / 2
        self.begin()
        totals, places, rest = self.count(lambda f: self.dump(f, running=True), DUMP_ROLES)
        self.check_unharmed()
        lines = [self.line("dump", totals, self.visit("dump", actions, places, rest, self.one_dump))]
        if not self.finish_dump():
            return lines
        self.end = max(self.end, time.monotonic()) + budget / 2
        hashes, self.tree = digest(self.images), self.tree or [self.root]
        totals, places, rest = self.count(self.restore_run, RESTORE_ROLES)
        self.check_unharmed()
        self.end_tree()
        self.counts = dict.fromkeys(self.counts, 0)
        done = self.visit("restore", actions, places, rest, lambda f: self.one_restore(f, hashes))
        lines.append(self.line("restore", totals, done))
        self.last_words()
        return lines

    def finish_dump(self):
        """The checkpoint for the restores; the tree is gone afterwards."""
        shutil.rmtree(self.images, ignore_errors=True)
        self.tree = [p for p in proc.tree(self.root) if self.alive(p)]
        self.own_files = []
        code = self.dump()
        if code:
            self.problems.append(f"the dump after the sweep gives {code}: {self.output()}")
            return False
        self.nobody_left()
        self.own_files = self.files()
        return True

    def last_words(self):
        """The body, restored once more, finds everything as it was."""
        try:
            self.back("after the sweep")
            self.statuses.clear()
            os.kill(self.root, proc.GO_SIGNAL)
            code = self.reap(self.root)
            if code:
                self.problems.append(f"the body gives status {code}: {proc.read(self.log)[-500:]}")
        except (Violation, case.Failed) as e:
            self.problems.append(str(e))

    def line(self, phase, totals, done):
        c = self.counts
        calls = " ".join(f"{r}={n}" for r, n in totals.items() if n)
        return (f"{phase}: {done[0]} of {done[1]} faults ({calls}): {c['failed']} failed, {c['killed']} killed, "
                f"{c['absorbed']} absorbed, {c['leftover']} with leftovers, {c['residue']} with residue")

    # --- random moments --------------------------------------------------------------------------
    def random_kills(self, rng, options):
        """SIGKILL at random times; a run of the tool takes a few milliseconds."""
        self.begin()
        start = time.monotonic()
        if self.dump(running=True):
            raise Violation(f"the dump fails: {self.output()}")
        length, half = time.monotonic() - start, min(60, options.budget / 2)
        self.check_unharmed()
        self.end, done = time.monotonic() + half, 0
        while time.monotonic() < self.end and not self.problems:
            self.try_one("dump", lambda: self.one_dump(None, rng.uniform(0, length * 1.2)))
            done += 1
        lines = [self.line("dump, random", {}, (done, done))]
        if not self.finish_dump():
            return lines
        hashes, start = digest(self.images), time.monotonic()
        self.back("before the kills")
        length = time.monotonic() - start
        self.end_tree()
        self.counts = dict.fromkeys(self.counts, 0)
        self.end, done = time.monotonic() + half, 0
        while time.monotonic() < self.end and not self.problems:
            self.try_one("restore", lambda: self.one_restore(None, hashes, rng.uniform(0, length)))
            done += 1
        lines.append(self.line("restore, random", {}, (done, done)))
        self.last_words()
        return lines

    def try_one(self, phase, one):
        try:
            one()
        except Violation as e:
            self.problems.append(f"{phase}, random kill: {e}\n--- {self.last}\n{self.output()}")
            self.revive(phase)


ORPHAN = re.compile(r" *map [0-9a-f]+-[0-9a-f]+ rwxp  0 ")


def without_residue(text):
    """Without the content of [vdso] and [stack] (its unused end), sizes, and one anonymous executable mapping per task."""
    out, skip, orphans = [], False, 0
    for line in text.splitlines():
        word = line.split()[:1]
        orphans = 0 if word == ["task"] else orphans
        if word == ["map"]:
            orphan = bool(ORPHAN.match(line)) and not orphans
            skip = orphan or "[vdso]" in line or "[stack]" in line
            orphans += orphan
            if orphan:
                continue
        elif skip and (word == ["content"] or "shared by tasks" in line):
            continue
        elif word and word[0].startswith("Vm"):
            continue
        out.append(line)
    return out


def spread(items):
    """A permutation that visits coarse strides first, so that any budget sees all regions."""
    n, out, step = len(items), [], 1
    while step < n:
        step *= 2
    seen = set()
    while step >= 1 and len(out) < n:
        for i in range(0, n, step):
            if i not in seen:
                seen.add(i)
                out.append(items[i])
        step //= 2
    return out
