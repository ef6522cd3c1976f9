"""Servers that go down and come back while their clients, outside the tree, stay connected.

A Served knows how to start the server, what its clients run, and what they must say at the end. The
server alone is dumped and restored, several times while the clients are busy.
"""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "scripts", "demo.d"))
import servers  # noqa: E402

PATIENCE_S = 30


class Wrong(Exception):
    pass


class Served:
    needs = ()
    options = ("--tcp-established",)
    cycles = 3
    ending = signal.SIGTERM  # what makes it clean up and end

    def start(self, directory, port):
        """The pid of the server, which answers."""
        raise NotImplementedError

    def clients(self, directory, port):
        """Popen objects of programs that end by themselves with status 0."""
        raise NotImplementedError

    def ready(self, directory):
        """Whether the clients are at work."""
        return True

    def between(self, directory, cycle):
        """After a restore (and once before the first dump, cycle 0); raises Wrong."""
        time.sleep(0.3)  # the clients work a while; nothing depends on how far they come

    def check(self, directory, port, outputs):
        """After the clients ended; raises Wrong; a line for people."""
        raise NotImplementedError


def run_client(argv, directory, number=0):
    with open("%s/client%d" % (directory, number), "w") as out:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out,
                                stderr=subprocess.STDOUT, start_new_session=True)


def demo_server(name, directory, port):
    servers.SERVERS[name][0]().prepare(directory)
    return servers.start_server(name, directory, port).pid


class Redis(Served):
    """redis-benchmark: every increment must be there once."""
    needs = ("redis-server", "redis-benchmark", "redis-cli")
    requests = 150000

    def start(self, directory, port):
        return demo_server("redis", directory, port)

    def clients(self, directory, port):
        return [run_client(["redis-benchmark", "-p", str(port), "-c", "20", "-n", str(self.requests),
                            "-t", "incr", "-q"], directory)]

    def check(self, directory, port, outputs):
        got = subprocess.run(["redis-cli", "-p", str(port), "GET", "counter:__rand_int__"],
                             capture_output=True, text=True).stdout.strip()
        if got != str(self.requests):
            raise Wrong("%s increments of %d:\n%s" % (got, self.requests, outputs[0]))
        return "%s increments" % got


class Nginx(Served):
    """wrk: no connection is lost, no answer is missing."""
    needs = ("nginx", "wrk")

    def start(self, directory, port):
        return demo_server("nginx", directory, port)

    def clients(self, directory, port):
        return [run_client(["wrk", "-t2", "-c20", "-d4", "--timeout", "30",
                            "http://127.0.0.1:%d/5" % port], directory)]

    def check(self, directory, port, outputs):
        if "Socket errors" in outputs[0] or "Non-2xx" in outputs[0]:
            raise Wrong(outputs[0])
        done = re.search(r"(\d+) requests in", outputs[0])
        with open(directory + "/access.log") as log:
            bad = [line for line in log if '" 200 ' not in line]
        if not done or int(done[1]) == 0 or bad:
            raise Wrong("%s\n%s" % (outputs[0], "".join(bad[:5])))
        return "%s requests" % done[1]


class Postgres(Served):
    """pgbench: every transaction is there once, and the sums agree."""
    needs = ("psql", "pgbench", "setpriv")
    clients_of, transactions = 4, 500
    ending = servers.Postgres.ending

    def sql(self, port, text):
        return subprocess.run(["psql", "-XqtA", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres",
                               "-c", text], capture_output=True, text=True, timeout=PATIENCE_S).stdout.strip()

    def pgbench(self, port, *words):
        return ["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres", *words, "postgres"]

    def start(self, directory, port):
        pid = demo_server("postgres", directory, port)
        done = subprocess.run(self.pgbench(port, "-i", "-q"), capture_output=True, text=True)
        if done.returncode:
            raise Wrong("pgbench -i: " + done.stderr)
        return pid

    def clients(self, directory, port):
        return [run_client(self.pgbench(port, "-n", "-c", str(self.clients_of), "-t",
                                        str(self.transactions)), directory)]

    def check(self, directory, port, outputs):
        wanted = self.clients_of * self.transactions
        sums = self.sql(port, "select (select count(*) from pgbench_history) = %d and "
                              "(select sum(delta) from pgbench_history) = "
                              "(select sum(abalance) from pgbench_accounts) and "
                              "(select sum(delta) from pgbench_history) = "
                              "(select sum(bbalance) from pgbench_branches)" % wanted)
        if sums != "t" or "%d/%d" % (wanted, wanted) not in outputs[0]:
            raise Wrong("the sums agree: %r\n%s" % (sums, outputs[0]))
        return "%d transactions" % wanted


class Sshd(Served):
    """An interactive session: a shell behind a pseudo terminal behind an encrypted connection."""
    needs = ("sshd", "ssh", "ssh-keygen")

    def start(self, directory, port):
        os.makedirs("/run/sshd", exist_ok=True)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory + "/" + name],
                           check=True)
        shutil.copy(directory + "/user.pub", directory + "/authorized")
        with open(directory + "/config", "w") as f:
            f.write("Port %d\nListenAddress 127.0.0.1\nHostKey %s/host\nAuthorizedKeysFile %s/authorized\n"
                    "UsePAM no\nStrictModes no\nPermitRootLogin yes\nPidFile none\nUseDNS no\n"
                    % (port, directory, directory))
        server = servers.start([shutil.which("sshd"), "-D", "-e", "-f", directory + "/config"],
                               directory + "/sshd.log")
        servers.until(lambda: servers.answers(port), "sshd answers", server)
        return server.pid

    def clients(self, directory, port):
        with open(directory + "/client0", "w") as out:
            self.ssh = subprocess.Popen(
                ["ssh", "-tt", "-F", "none", "-p", str(port), "-i", directory + "/user",
                 "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                 "root@127.0.0.1", "env PS1= /bin/bash --norc --noprofile"], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=out, text=True, bufsize=1, start_new_session=True)
        self.say("stty -echo; n=0; t=$(tty); sleep 1000 &", None)
        self.say('echo "READY"', "READY")
        return [self.ssh]

    def say(self, line, wanted):
        self.ssh.stdin.write(line + "\n")
        for got in iter(self.ssh.stdout.readline, ""):
            if wanted is None or got.strip() == wanted:
                return
        raise Wrong("the session ended; %r was expected" % wanted)

    def between(self, directory, cycle):
        self.say('n=$((n + 1)); echo "round $n $(test $t = $(tty) && echo same) $(jobs -r | wc -l)"',
                 "round %d same 1" % (cycle + 1))
        if cycle == self.cycles:
            self.say("kill %1; wait; exit 0", None)

    def check(self, directory, port, outputs):
        return "a session of %d rounds on one terminal" % (self.cycles + 1)


class Tmux(Served):
    """tmux with a shell, a job and an editor inside; driven through its own client."""
    needs = ("tmux", "vi")
    options = ()

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True,
                              timeout=PATIENCE_S)
        return done.stdout

    def screen(self, wanted, window):
        try:
            servers.until(lambda: wanted in self.tmux("capture-pane", "-p", "-t", window), wanted)
        except servers.Failure as failure:
            raise Wrong("%s in %s, which shows:\n%s" % (
                failure, window, self.tmux("capture-pane", "-p", "-t", window).strip())) from failure

    def start(self, directory, port):
        self.socket = directory + "/tmux"
        with open(directory + "/conf", "w") as f:
            f.write("set -g default-command 'env PS1= TERM=screen bash --norc --noprofile'\n"
                    "set -g exit-empty off\n")
        server = servers.start(["env", "TERM=screen", "tmux", "-D", "-S", self.socket, "-f",
                                directory + "/conf"], directory + "/tmux.log")
        servers.until(lambda: os.path.exists(self.socket), "tmux answers", server)
        self.tmux("new-session", "-d", "-s", "main", "-n", "shell", "-x", "80", "-y", "24")
        self.tmux("new-window", "-t", "main:", "-n", "edit",
                  "vi -u NONE -n %s/text" % directory)
        self.keys("main:shell", "n=0; sleep 1000 &", "Enter")
        self.keys("main:edit", "i", "start", "Enter")
        self.screen("start", "main:edit")
        return server.pid

    def keys(self, window, *keys):
        self.tmux("send-keys", "-t", window, *keys)

    def clients(self, directory, port):
        return []

    def between(self, directory, cycle):
        self.keys("main:edit", "line%d" % cycle, "Enter")
        self.screen("line%d" % cycle, "main:edit")
        self.keys("main:shell", "cat", "Enter")
        servers.until(lambda: self.tmux("display-message", "-p", "-t", "main:shell",
                                        "#{pane_current_command}").strip() == "cat", "cat runs")
        self.keys("main:shell", "C-z")
        servers.until(lambda: self.tmux("display-message", "-p", "-t", "main:shell",
                                        "#{pane_current_command}").strip() == "bash", "the shell is back")
        self.keys("main:shell", "kill %2; wait %2; n=$((n + 1)); echo round $n $(jobs -r | wc -l)", "Enter")
        self.screen("round %d 1" % (cycle + 1), "main:shell")

    def check(self, directory, port, outputs):
        self.keys("main:edit", "Escape", ":wq", "Enter")
        servers.until(lambda: os.path.exists(directory + "/text"), "the editor writes")
        wanted = "start\n" + "".join("line%d\n" % i for i in range(self.cycles + 1))
        servers.until(lambda: open(directory + "/text").read().startswith(wanted), "the text")
        return "an editor, a shell and its jobs"


class MariaDb(Served):
    """mysql's protocol: every row that a client inserts is there, in its order, on one connection."""
    needs = ("mariadbd", "mariadb", "mariadb-install-db", "setpriv")
    rows = 1500

    def start(self, directory, port):
        data = directory + "/data"
        os.mkdir(data)
        shutil.chown(data, "nobody", "nogroup")
        os.chmod(directory, 0o777)  # its socket and its pid file lie there
        subprocess.run(["mariadb-install-db", "--no-defaults", "--user=nobody", "--datadir=" + data,
                        "--skip-test-db", "--auth-root-authentication-method=normal"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        server = servers.start(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "mariadbd", "--no-defaults",
             "--datadir=" + data, "--socket=" + directory + "/socket", "--port=%d" % port,
             "--pid-file=" + directory + "/pid", "--bind-address=127.0.0.1",
             "--innodb-flush-log-at-trx-commit=0"], directory + "/mariadb.log")
        servers.until(lambda: servers.answers(port), "mariadb answers", server)
        return server.pid

    def clients(self, directory, port):
        with open(directory + "/statements", "w") as f:
            f.write("create table mysql.t (i int primary key auto_increment, c bigint, v text);\n")
            for number in range(self.rows):
                f.write("insert into mysql.t (c, v) values (connection_id(), repeat('x', %d));\n"
                        % (number * 7))
                if number % 100 == 0:
                    f.write("do sleep(0.1);\n")
            f.write("select count(*), count(distinct c), max(i), sum(length(v)) from mysql.t;\n")
        shell = 'exec mariadb -N -h 127.0.0.1 -P %d -u root < "$0"' % port
        return [run_client(["sh", "-c", shell, directory + "/statements"], directory)]

    def check(self, directory, port, outputs):
        wanted = "%d\t1\t%d\t%d" % (self.rows, self.rows, 7 * self.rows * (self.rows - 1) // 2)
        if outputs[0].strip() != wanted:
            raise Wrong("rows, connections, last row, bytes: %s; wanted %s" % (outputs[0], wanted))
        return "%d rows" % self.rows


class Mosquitto(Served):
    """MQTT, each message exactly once: what one client publishes another one gets, in order."""
    needs = ("mosquitto", "mosquitto_pub", "mosquitto_sub")
    messages = 400

    def start(self, directory, port):
        with open(directory + "/conf", "w") as f:
            f.write("listener %d 127.0.0.1\nallow_anonymous true\nuser root\n" % port)
        server = servers.start(["mosquitto", "-c", directory + "/conf"], directory + "/mosquitto.log")
        servers.until(lambda: servers.answers(port), "mosquitto answers", server)
        return server.pid

    def clients(self, directory, port):
        to = ["-p", str(port), "-q", "2", "-t", "numbers"]
        heard = run_client(["stdbuf", "-oL", "mosquitto_sub", "-d", *to, "-C", str(self.messages)], directory)
        servers.until(lambda: "Subscribed" in self.text(directory), "the subscription")
        numbers = "for i in $(seq %d); do echo number $i; sleep 0.005; done | " % self.messages
        return [heard, run_client(["sh", "-c", numbers + "mosquitto_pub -l " + " ".join(to)],
                                  directory, 1)]

    @staticmethod
    def text(directory):
        with open(directory + "/client0") as f:
            return f.read()

    def check(self, directory, port, outputs):
        got = [int(n) for n in re.findall(r"^number (\d+)$", outputs[0], re.M)]
        if got != list(range(1, self.messages + 1)):
            raise Wrong("the numbers that came: %s" % got)
        return "%d messages" % len(got)


class MessageBus(Served):
    """dbus-daemon and a listener as one tree; signals that are sent from outside arrive there once."""
    needs = ("dbus-daemon", "dbus-monitor", "dbus-send")
    options = ()
    script = ('dbus-daemon --session --nofork --nopidfile --address="$A" & '
              'until test -S "$0"; do sleep 0.05; done; '
              'DBUS_SESSION_BUS_ADDRESS="$A" dbus-monitor --profile "interface=test.torpor" & wait')

    def start(self, directory, port):
        path = directory + "/bus"
        self.log = directory + "/bus.log"
        self.address = "unix:path=" + path
        server = servers.start(["env", "A=" + self.address, "sh", "-c", self.script, path], self.log)
        servers.until(lambda: "NameAcquired" in self.text(), "the listener listens", server)
        return server.pid

    def text(self):
        with open(self.log) as f:
            return f.read()

    def clients(self, directory, port):
        return []

    def between(self, directory, cycle):
        name = "test.torpor.Round%d" % cycle
        subprocess.run(["dbus-send", "--bus=" + self.address, "--type=signal", "/", name], check=True,
                       timeout=PATIENCE_S)
        servers.until(lambda: "Round%d" % cycle in self.text(), "the signal arrives")

    def check(self, directory, port, outputs):
        rounds = re.findall(r"Round(\d)", self.text())
        if rounds != [str(i) for i in range(self.cycles + 1)]:
            raise Wrong("the signals that came: %s" % rounds)
        return "%d signals" % len(rounds)


TESTS = {"redis": Redis(), "nginx": Nginx(), "postgres": Postgres(), "sshd": Sshd(), "tmux": Tmux(),
         "mariadb": MariaDb(), "mosquitto": Mosquitto(), "dbus": MessageBus()}


def inside(served, directory, cycle):
    """cycle(root, images, ended, options) is a dump and a restore."""
    os.chmod(directory, 0o755)  # servers' own users go through it
    work = os.path.join(directory, "work")
    os.mkdir(work)
    port = servers.free_port()
    ended = {}  # status by pid, of what was reaped while the tool ran
    root = served.start(work, port)
    clients = served.clients(work, port)
    served.between(work, 0)
    for number in range(served.cycles):
        cycle(root, "%s/checkpoint%d" % (directory, number), ended, served.options)
        served.between(work, number + 1)
    codes = [os.waitstatus_to_exitcode(ended[client.pid]) if client.pid in ended
             else client.wait(PATIENCE_S) for client in clients]
    outputs = []
    for number in range(len(clients)):
        with open("%s/client%d" % (work, number)) as f:
            outputs.append(f.read())
    if any(codes):
        raise Wrong("clients ended with %s:\n%s" % (codes, "\n".join(outputs)[-1500:]))
    result = served.check(work, port, outputs)
    servers.end_trees([root], served.ending)
    return "%d cycles, %s" % (served.cycles, result)
