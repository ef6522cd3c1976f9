#!/usr/bin/python3
"""Real servers and real clients for scripts/demo: what runs, and how a lost or repeated byte is seen.

  servers.py alone NAME DIR TORPOR   the server goes down and comes back, its clients stay outside
  servers.py tree NAME DIR TORPOR    server and clients are one tree
  servers.py talk NAME DIR PORT      the clients: exchange until told to end (SIGTERM), then check
  servers.py both NAME DIR PORT      the server and the clients, as one tree

NAME is redis, nginx or postgres. The clients count every exchange over connections that are opened
once; each server tells in its own way which connection it speaks on, so a client that connected
anew would be noticed, as would a reply that is missing or comes twice.
"""
import ctypes
import hashlib
import http.client
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

PATIENCE_S = 20
PACE_S = 0.002  # between exchanges: a pace that a reader can follow


class Failure(Exception):
    """What went wrong, for people."""


def expect(got, wanted, what):
    if got != wanted:
        raise Failure("%s: expected %r, got %r" % (what, wanted, got))


class Pipe:
    """A command line client that is told what to do line by line."""

    def __init__(self, argv):
        self.process = subprocess.Popen(["stdbuf", "-oL"] + argv, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Failure("%s ended" % self.process.args[2])
        return line.rstrip("\n")

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.read()

    def end(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


# --- redis ----------------------------------------------------------------------------------------

class Redis:
    user = None
    ending = signal.SIGTERM  # at which it cleans up, with clients or without

    def prepare(self, directory):
        pass

    def argv(self, directory, port):
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", directory,
                "--appendonly", "yes", "--save", "", "--daemonize", "no", "--loglevel", "warning",
                "--ignore-warnings", "ARM64-COW-BUG"]


class RedisTalk:
    """One client counts in the server and publishes; one listens; one writes and reads large values."""

    def __init__(self, directory, port):
        cli = ["redis-cli", "-p", str(port)]
        self.listener = Pipe(cli + ["SUBSCRIBE", "numbers"])
        for wanted in ("subscribe", "numbers", "1"):
            expect(self.listener.read(), wanted, "subscription")
        self.counter, self.writer = Pipe(cli), Pipe(cli)
        self.ids = self.connections()
        self.random = random.Random(port)

    def connections(self):
        return [c.ask("CLIENT ID") for c in (self.counter, self.writer)]

    def exchange(self, number):
        expect(self.counter.ask("INCR counted"), str(number), "INCR")
        expect(self.counter.ask("PUBLISH numbers %d" % number), "1", "clients that listen")
        for wanted in ("message", "numbers", str(number)):
            expect(self.listener.read(), wanted, "published message")
        if number % 10 == 0:
            value = "%x" % self.random.getrandbits(200000)
            expect(self.writer.ask("SET large " + value), "OK", "SET")
            expect(self.writer.ask("GET large"), value, "GET")

    def check(self, number):
        expect(self.connections(), self.ids, "the server's ids of the connections")
        expect(self.counter.ask("GET counted"), str(number), "GET counted")
        for client in (self.listener, self.counter, self.writer):
            client.end()
        return "the server counted %d, every message arrived once and in order" % number


# --- nginx ----------------------------------------------------------------------------------------

NGINX = """
worker_processes 2;
daemon off;
error_log %(dir)s/error.log;
pid %(dir)s/nginx.pid;
events { worker_connections 256; }
http {
	access_log %(dir)s/access.log;
	client_body_temp_path %(dir)s/body;
	proxy_temp_path %(dir)s/proxy;
	fastcgi_temp_path %(dir)s/fastcgi;
	uwsgi_temp_path %(dir)s/uwsgi;
	scgi_temp_path %(dir)s/scgi;
	keepalive_requests 10000000;
	keepalive_timeout 600s;
	server {
		listen 127.0.0.1:%(port)d;
		root %(dir)s/www;
		add_header X-Connection $connection always;
		add_header X-Request $connection_requests always;
		location /slow/ { limit_rate 300k; alias %(dir)s/www/; }
	}
}
"""
NGINX_FILES = 16
SLOW_BYTES = 3 << 20


def content(name, size):
    return random.Random(name).randbytes(size)


class Nginx:
    user = None
    ending = signal.SIGTERM

    def prepare(self, directory):
        os.mkdir(directory + "/www")
        os.chmod(directory, 0o755)
        for i in range(NGINX_FILES):
            with open("%s/www/%d" % (directory, i), "wb") as f:
                f.write(content(i, 1000 + i * i * 1500))
        with open(directory + "/www/slow", "wb") as f:
            f.write(content("slow", SLOW_BYTES))

    def argv(self, directory, port):
        with open(directory + "/nginx.conf", "w") as f:
            f.write(NGINX % {"dir": directory, "port": port})
        return ["nginx", "-c", directory + "/nginx.conf", "-e", directory + "/error.log"]


class NginxTalk:
    """Connections that are kept alive, and a long transfer that is cut in two by the checkpoint."""

    def __init__(self, directory, port):
        self.clients = [http.client.HTTPConnection("127.0.0.1", port) for _ in range(4)]
        for client in self.clients:
            client.connect()
            client.auto_open = 0
        self.ids = [None] * len(self.clients)
        self.requests = [0] * len(self.clients)
        self.sums = [hashlib.sha256(content(i, 1000 + i * i * 1500)).hexdigest()
                     for i in range(NGINX_FILES)]
        self.slow = socket.create_connection(("127.0.0.1", port))
        self.slow.sendall(b"GET /slow/slow HTTP/1.0\r\n\r\n")
        self.slow_bytes = b""

    def exchange(self, number):
        which, name = number % len(self.clients), number % NGINX_FILES
        client = self.clients[which]
        client.request("GET", "/%d" % name, headers={"X-Number": str(number)})
        reply = client.getresponse()
        body = reply.read()
        expect(reply.status, 200, "status")
        expect(hashlib.sha256(body).hexdigest(), self.sums[name], "checksum of file %d" % name)
        self.requests[which] += 1
        expect(int(reply.getheader("X-Request")), self.requests[which], "requests on this connection")
        self.ids[which] = self.ids[which] or reply.getheader("X-Connection")
        expect(reply.getheader("X-Connection"), self.ids[which], "the server's number of the connection")
        try:
            self.slow_bytes += self.slow.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass

    def check(self, number):
        self.slow.settimeout(PATIENCE_S)
        for part in iter(lambda: self.slow.recv(1 << 20), b""):
            self.slow_bytes += part
        body = self.slow_bytes.split(b"\r\n\r\n", 1)[1]
        expect(body, content("slow", SLOW_BYTES), "the long transfer")
        return ("%d requests on %d connections, every file with its checksum; a transfer of %d bytes "
                "went on in the middle" % (number, len(self.clients), SLOW_BYTES))


# --- postgres -------------------------------------------------------------------------------------

class Postgres:
    user = "postgres"
    ending = signal.SIGINT  # SIGTERM waits for the clients, SIGKILL leaves its System V segment

    def binary(self, name):
        versions = sorted(os.listdir("/usr/lib/postgresql"), key=float)
        return "/usr/lib/postgresql/%s/bin/%s" % (versions[-1], name)

    def prepare(self, directory):
        owner = pwd.getpwnam(self.user)
        os.chmod(directory, 0o755)
        os.mkdir(directory + "/data", 0o700)
        os.chown(directory + "/data", owner.pw_uid, owner.pw_gid)
        done = subprocess.run(as_user(self.user, [self.binary("initdb"), "-D", directory + "/data",
                                                  "-A", "trust", "--no-sync"]),
                              capture_output=True, text=True)
        expect(done.returncode, 0, "initdb: " + done.stderr)

    def argv(self, directory, port):
        return [self.binary("postgres"), "-D", directory + "/data", "-p", str(port),
                "-h", "127.0.0.1", "-k", directory + "/data"]


class PostgresTalk:
    """One session inserts, one is inside a transaction all the time, with a table of its own."""

    def __init__(self, directory, port):
        argv = ["psql", "-XqtA", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres",
                "-v", "ON_ERROR_STOP=1"]
        self.writer, self.transaction = Pipe(argv), Pipe(argv)
        self.ids = self.sessions()
        expect(self.writer.ask("create table t (n serial primary key, text text); select 1;"), "1", "table")
        expect(self.transaction.ask("begin; create temp table mine (n int); select 1;"), "1", "begin")

    def sessions(self):
        return [c.ask("select pg_backend_pid();") for c in (self.writer, self.transaction)]

    def exchange(self, number):
        text = hashlib.sha256(b"%d" % number).hexdigest()
        expect(self.writer.ask("insert into t (text) values ('%s') returning n;" % text), str(number),
               "number of the row")
        if number % 5 == 0:
            expect(self.transaction.ask("insert into mine values (%d) returning n;" % number),
                   str(number), "row in the transaction")

    def check(self, number):
        expect(self.sessions(), self.ids, "the server's processes of the sessions")
        expect(self.transaction.ask("commit; select count(*) from mine;"), str(number // 5),
               "rows of the transaction")
        wanted = hashlib.md5("".join(hashlib.sha256(b"%d" % i).hexdigest()
                                     for i in range(1, number + 1)).encode()).hexdigest()
        expect(self.writer.ask("select md5(string_agg(text, '' order by n)) from t;"), wanted,
               "checksum of the table")
        for client in (self.writer, self.transaction):
            client.end()
        return "%d rows, none missing, none twice; a transaction lasted through it all" % number


SERVERS = {"redis": (Redis, RedisTalk), "nginx": (Nginx, NginxTalk), "postgres": (Postgres, PostgresTalk)}


# --- processes ------------------------------------------------------------------------------------

def as_user(user, argv):
    if not user:
        return argv
    owner = pwd.getpwnam(user)
    return ["setpriv", "--reuid", str(owner.pw_uid), "--regid", str(owner.pw_gid),
            "--init-groups"] + argv


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def until(true, what, alive=None):
    end = time.monotonic() + PATIENCE_S
    while not true():
        if alive and alive.poll() is not None:
            raise Failure("%s: the program ended" % what)
        if time.monotonic() > end:
            raise Failure("%s: not within %d s" % (what, PATIENCE_S))
        time.sleep(0.02)


def answers(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def start(argv, output, new_session=True):
    with open(output, "w") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                start_new_session=new_session, cwd=os.path.dirname(output))


def start_server(name, directory, port, new_session=True):
    server = SERVERS[name][0]()
    process = start(as_user(server.user, server.argv(directory, port)), directory + "/server.log",
                    new_session)
    until(lambda: answers(port), name + " answers", process)
    return process


def talk(name, directory, port):
    """Exchanges and counts until SIGTERM; the count so far is in the file `count`."""
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    clients = SERVERS[name][1](directory, port)
    number = 0
    with open(directory + "/count", "w") as count:
        while not ended:
            number += 1
            clients.exchange(number)
            os.pwrite(count.fileno(), b"%d\n" % number, 0)
            time.sleep(PACE_S)
    print(clients.check(number))


def both(name, directory, port):
    server = start_server(name, directory, port, new_session=False)
    try:
        talk(name, directory, port)
    finally:
        server.send_signal(SERVERS[name][0].ending)
        server.wait()


# --- the demonstration ----------------------------------------------------------------------------

def tree_of(pid):
    pids = [pid]
    for p in pids:
        for task in os.listdir("/proc/%d/task" % p) if os.path.isdir("/proc/%d" % p) else ():
            with open("/proc/%d/task/%s/children" % (p, task)) as f:
                pids += map(int, f.read().split())
    return pids


def is_alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def end_trees(roots, ending):
    """Asks all of them to end, which lets a server take away what it made; insists after a while."""
    pids = [p for root in roots for p in tree_of(root)]
    signal_all([p for p in pids if is_alive(p)], ending)
    end = time.monotonic() + PATIENCE_S / 2
    while any(map(is_alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    signal_all([p for p in pids if is_alive(p)], signal.SIGKILL)
    while any(map(is_alive, pids)) and time.monotonic() < end + PATIENCE_S / 2:
        time.sleep(0.02)


def segments():
    """System V segments that nobody has attached: id and the process that made it."""
    with open("/proc/sysvipc/shm") as f:
        lines = [dict(zip(names, line.split())) for names in [f.readline().split()] for line in f]
    return {int(s["shmid"]): int(s["cpid"]) for s in lines if s["nattch"] == "0"}


class Demonstration:
    def __init__(self, name, directory, torpor):
        self.name, self.torpor = name, torpor
        self.segments = segments()
        self.directory = directory
        self.checkpoint = directory + "/checkpoint"
        self.pids = set()

    def run_torpor(self, verb, *arguments):
        print("   $ torpor %s %s" % (verb, " ".join(arguments)), flush=True)
        begin = time.monotonic()
        done = subprocess.run([self.torpor, verb] + list(arguments))
        if done.returncode:
            raise Failure("torpor %s failed with status %d" % (verb, done.returncode))
        return (time.monotonic() - begin) * 1000

    def count(self):
        try:
            with open(self.directory + "/count") as f:
                return int(f.read() or 0)
        except FileNotFoundError:
            return 0

    def goes_on(self, more, alive=None):
        wanted = self.count() + more
        until(lambda: self.count() >= wanted, "%d more exchanges" % more, alive)

    def down_and_up(self, root, options):
        pids = tree_of(root)
        self.pids.update(pids)
        took = self.run_torpor("dump", "-t", str(root), "-D", self.checkpoint, *options)
        left = [p for p in pids if is_alive(p)]
        expect(left, [], "processes that are still there after the dump")
        print("   %d ms. All %d processes are gone, after exchange %d. What the checkpoint holds:"
              % (took, len(pids), self.count()))
        shown = subprocess.run([self.torpor, "show", self.checkpoint], capture_output=True, text=True)
        lines = shown.stdout.splitlines()
        for line in lines[:14]:
            print("   | " + line[:110])
        if len(lines) > 14:
            print("   | ... and %d lines more" % (len(lines) - 14))
        took = self.run_torpor("restore", "-d", "-D", self.checkpoint, *options)
        print("   %d ms. The pids are the same." % took)
        expect([p for p in pids if not is_alive(p)], [], "processes that did not come back")

    def verdict(self, talker, output):
        if isinstance(talker, subprocess.Popen):
            talker.terminate()
            talker.wait(PATIENCE_S)
        else:
            os.kill(talker, signal.SIGTERM)
            until(lambda: not is_alive(talker), "the clients end")
        with open(output) as f:
            text = f.read().strip()
        if "Traceback" in text or not text:
            raise Failure("the clients: " + text)
        print("   Clients: " + text.splitlines()[-1])

    def alone(self):
        port = free_port()
        server = start_server(self.name, self.directory, port)
        self.pids.add(server.pid)
        talker = start([sys.executable, __file__, "talk", self.name, self.directory, str(port)],
                       self.directory + "/talk.log")
        self.pids.add(talker.pid)
        self.goes_on(200, talker)
        print("1. %s is running: pid %d; its clients are busy, %d exchanges so far. The server alone "
              "goes down and comes back:" % (self.name, server.pid, self.count()), flush=True)
        reap(server)
        self.down_and_up(server.pid, ["--tcp-established"])
        self.goes_on(300, talker)
        print("   They go on over the same connections, now at %d exchanges." % self.count())
        self.pids.update(tree_of(talker.pid))
        self.verdict(talker, self.directory + "/talk.log")

    def tree(self):
        port = free_port()
        root = start([sys.executable, __file__, "both", self.name, self.directory, str(port)],
                     self.directory + "/both.log")
        self.pids.add(root.pid)
        self.goes_on(200, root)
        print("2. Server and clients in one tree: pid %d, %d exchanges so far:" % (root.pid, self.count()),
              flush=True)
        reap(root)
        self.down_and_up(root.pid, [])
        self.goes_on(300)
        print("   It goes on, now at %d exchanges." % self.count())
        self.verdict(root.pid, self.directory + "/both.log")

    def end(self):
        makers = {p for root in self.pids for p in [root] + tree_of(root)}
        end_trees(self.pids, SERVERS[self.name][0].ending)
        # What a server that did not come back, or had to be killed, could not take away itself.
        for shmid, maker in segments().items():
            if shmid not in self.segments and maker in makers:
                ctypes.CDLL(None).shmctl(shmid, 0, None)  # IPC_RMID


def reap(process):
    """The dump waits until the parent took note of the end of the program: that is us."""
    threading.Thread(target=process.wait, daemon=True).start()


def demonstrate(verb, name, directory, torpor):
    server = SERVERS[name][0]()
    server.prepare(directory)
    demonstration = Demonstration(name, directory, torpor)
    try:
        getattr(demonstration, verb)()
    finally:
        demonstration.end()


def main(argv):
    if len(argv) < 3 or argv[1] not in SERVERS:
        raise SystemExit(__doc__)
    if argv[0] == "talk":
        talk(argv[1], argv[2], int(argv[3]))
    elif argv[0] == "both":
        both(argv[1], argv[2], int(argv[3]))
    elif argv[0] in ("alone", "tree"):
        demonstrate(argv[0], argv[1], argv[2], argv[3])
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failure as failure:
        raise SystemExit("servers.py: %s" % failure)
