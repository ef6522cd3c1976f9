#!/usr/bin/python3
"""An ordinary program for scripts/demo: three threads count, a child behind two pipes acknowledges
every count, and the main thread inserts what was acknowledged into a sqlite database.

  counting.py run DIR [ROWS]   work until killed, or until ROWS are in (then print a digest)
  counting.py state DIR        one line: how far it is
  counting.py verify DIR       is anything lost or there twice?

The counters live in memory only: a program that was started anew instead of restored would begin
at 1 again, and `verify` would see it.
"""
import os
import queue
import sqlite3
import subprocess
import sys
import threading
import time

THREADS = 3


def acknowledge(path):
    """The child: answers every line and writes it down in a file of its own."""
    with open(path, "a", buffering=1) as journal:
        for number, line in enumerate(iter(sys.stdin.readline, ""), 1):
            journal.write("%d %s" % (number, line))
            sys.stdout.write("ack %d %s" % (number, line))
            sys.stdout.flush()


def count(name, results):
    number = 0
    while True:
        number += 1
        results.put((name, number))
        time.sleep(0.006)  # a pace that a reader can follow


def open_database(directory):
    database = sqlite3.connect(os.path.join(directory, "counts.db"))
    database.execute("pragma synchronous = off")
    database.execute("create table counts (id integer primary key autoincrement, "
                     "thread text, number integer, ack integer, pid integer)")
    database.commit()
    return database


def run(directory, rows):
    child = subprocess.Popen([sys.executable, os.path.abspath(__file__), "acknowledge",
                              os.path.join(directory, "acks")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    database = open_database(directory)
    results = queue.Queue(16)
    for name in ("red", "green", "blue")[:THREADS]:
        threading.Thread(target=count, args=(name, results), daemon=True).start()
    done = 0
    while rows is None or done < rows:
        name, number = results.get()
        child.stdin.write("%s %d\n" % (name, number))
        word, ack, answered_name, answered_number = child.stdout.readline().split()
        if (word, answered_name, int(answered_number)) != ("ack", name, number):
            sys.exit("the child answered something else than it was asked")
        database.execute("insert into counts (thread, number, ack, pid) values (?, ?, ?, ?)",
                         (name, number, int(ack), os.getpid()))
        database.commit()
        done += 1
        print("row", done, flush=True)
    child.stdin.close()
    sys.exit(child.wait())


def rows_of(directory):
    path = os.path.join(directory, "counts.db")
    database = sqlite3.connect(path, timeout=10)
    return database.execute("select id, thread, number, ack, pid from counts order by id").fetchall()


def state(directory):
    try:
        rows = rows_of(directory)
    except sqlite3.OperationalError:
        rows = []
    print(len(rows))


def problems_of(directory):
    rows = rows_of(directory)
    if [r[0] for r in rows] != list(range(1, len(rows) + 1)):
        yield "the rows of the database are not numbered 1 to %d" % len(rows)
    if [r[3] for r in rows] != list(range(1, len(rows) + 1)):
        yield "an acknowledgement of the child is lost or there twice"
    if len({r[4] for r in rows}) > 1:
        yield "the rows come from several pids"
    for name in {r[1] for r in rows}:
        numbers = [r[2] for r in rows if r[1] == name]
        if numbers != list(range(1, len(numbers) + 1)):
            yield "thread %s lost a count or made one twice" % name
    with open(os.path.join(directory, "acks")) as journal:
        lines = [line.split() for line in journal]
    wanted = [[str(r[3]), r[1], str(r[2])] for r in rows]
    # The last line may be on its way from the child to the database.
    if lines[:len(wanted)] != wanted or len(lines) > len(wanted) + 1:
        yield "the journal of the child and the database differ"


def verify(directory):
    found = list(problems_of(directory))
    for problem in found:
        print(problem)
    if found:
        sys.exit(1)
    rows = rows_of(directory)
    print("%d rows, numbered 1 to %d without a gap; %d threads, each counting without a gap; "
          "%d lines acknowledged by the child" % (len(rows), len(rows), len({r[1] for r in rows}),
                                                  rows[-1][3]))


def main():
    word, path = sys.argv[1:3]
    if word == "run":
        run(path, int(sys.argv[3]) if len(sys.argv) > 3 else None)
    {"acknowledge": acknowledge, "state": state, "verify": verify}[word](path)


if __name__ == "__main__":
    main()
