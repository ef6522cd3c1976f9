#!/usr/bin/python3
"""A listener that would speak MPTCP, as Go's do, and plain TCP clients in another process."""
import os
import socket

CLIENTS, ROUNDS = 3, 400
IPPROTO_MPTCP = 262

listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, IPPROTO_MPTCP)
listener.bind(("::", 0))
listener.listen(16)
port = listener.getsockname()[1]


def client(number):
    total = 0
    s = socket.create_connection(("127.0.0.1", port))
    for i in range(ROUNDS):
        s.sendall(b"%08d" % (i * number))
        total += int(s.recv(8, socket.MSG_WAITALL))
        sum(k * k for k in range(20000))
    return total == sum(i * number * 3 for i in range(ROUNDS))


def serve(connection):
    while data := connection.recv(8, socket.MSG_WAITALL):
        connection.sendall(b"%08d" % (int(data) * 3))
    os._exit(0)


children = []
for number in range(1, CLIENTS + 1):
    pid = os.fork()
    if pid == 0:
        listener.close()
        os._exit(0 if client(number) else 1)
    children.append(pid)
servers = 0
while servers < CLIENTS:
    connection, _ = listener.accept()
    servers += 1
    pid = os.fork()
    if pid == 0:
        listener.close()
        serve(connection)
    connection.close()
    children.append(pid)
statuses = [os.waitpid(pid, 0)[1] for pid in children]
print(servers, "connections,", sum(s != 0 for s in statuses), "failed")
