#!/usr/bin/python3
"""An asyncio server on a unix socket with clients in another process, and a watcher of a folder.

The clients send numbered lines and check the answers; for every tenth the server makes a file, of
which inotify must tell exactly once.
"""
import asyncio
import ctypes
import os
import struct
import sys

CLIENTS, LINES = 3, 300
IN_CREATE, IN_NONBLOCK, IN_CLOEXEC = 0x100, 0o4000, 0o2000000
libc = ctypes.CDLL(None, use_errno=True)


class Watcher:
    def __init__(self, folder):
        self.fd = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, folder.encode(), IN_CREATE) < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self.names = []

    def read(self):
        data, at = os.read(self.fd, 65536), 0
        while at < len(data):
            (_, mask, _, length) = struct.unpack_from("iIII", data, at)
            at += 16
            if mask & IN_CREATE:
                self.names.append(data[at:at + length].rstrip(b"\0").decode())
            at += length


async def serve(path):
    os.mkdir("made")
    watcher = Watcher("made")
    asyncio.get_running_loop().add_reader(watcher.fd, watcher.read)
    connections = []

    async def answer(reader, writer):
        connections.append(writer)
        while line := await reader.readline():
            name, number = line.split()
            if int(number) % 10 == 0:
                open("made/%s-%s" % (name.decode(), number.decode()), "w").close()
            writer.write(b"%s %d\n" % (name, int(number) * 2))
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path)
    child = await asyncio.create_subprocess_exec(sys.executable, __file__, path)
    code = await child.wait()
    while len(watcher.names) < CLIENTS * LINES // 10:
        await asyncio.sleep(0.01)
    server.close()
    print("clients ended with %d, %d connections, %d files seen, %d different" % (
        code, len(connections), len(watcher.names), len(set(watcher.names))))


async def client(path, name):
    reader, writer = await asyncio.open_unix_connection(path)
    for number in range(1, LINES + 1):
        writer.write(b"%s %d\n" % (name, number))
        await writer.drain()
        line = await reader.readline()
        if line != b"%s %d\n" % (name, number * 2):
            raise SystemExit("wrong answer to %d: %r" % (number, line))
        await asyncio.sleep(0.005)
    writer.close()


async def clients(path):
    await asyncio.gather(*(client(path, b"c%d" % i) for i in range(CLIENTS)))

asyncio.run(clients(sys.argv[1]) if len(sys.argv) > 1 else serve("socket"))
