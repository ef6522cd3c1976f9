#!/usr/bin/python3
"""Two processes and one sqlite database in WAL mode: shared memory, locks on byte ranges, waits."""
import os
import sqlite3
import sys

ROWS = 400


def connect():
    return sqlite3.connect("wal.db", timeout=60, isolation_level=None)


def prepare():
    """Before there are two: nobody may be connected while the mode changes."""
    database = connect()
    database.execute("pragma journal_mode = wal")
    database.execute("create table t (name text, n integer, before integer)")
    database.close()


def work(name):
    database = connect()
    database.execute("pragma synchronous = off")
    for n in range(1, ROWS + 1):
        database.execute("begin immediate")  # the lock is held over both statements
        (before,) = database.execute("select count(*) from t").fetchone()
        sum(i * i for i in range(20000))
        database.execute("insert into t values (?, ?, ?)", (name, n, before))
        database.execute("commit")
    return database


prepare()
child = os.fork()
database = work("child" if child == 0 else "parent")
if child == 0:
    os._exit(0)
_, status = os.waitpid(child, 0)
bad = database.execute("select count(*) from t where before != rowid - 1").fetchone()[0]
names = database.execute("select name, count(*), sum(n) from t group by name order by name").fetchall()
print(status, bad, names, database.execute("pragma integrity_check").fetchone()[0])
sys.exit(bad != 0)
