"""What can be seen of a socket from outside, as canonical lines; for test/fingerprint.

A new fact is a generator of lines in FACTS. It gets the descriptor (a copy of the target's, the same
description: whatever is changed must be put back) and the socket.socket made of it. Nothing here knows
what the tool saves: options are asked by number, all of them, and UNSTABLE names those left out and why.
"""
import array
import ctypes
import errno
import fcntl
import hashlib
import os
import select
import socket
import struct

LIBC = ctypes.CDLL(None, use_errno=True)
SOL_NETLINK, SOL_PACKET, SOL_RAW, SO_PEEK_OFF, SO_GET_FILTER, MCAST_MSFILTER = 270, 263, 255, 42, 26, 48
INET = (socket.AF_INET, socket.AF_INET6)
LEVELS = {              # level -> numbers to ask
    socket.SOL_SOCKET: range(1, 96),
    socket.IPPROTO_IP: range(1, 60),
    socket.IPPROTO_IPV6: range(1, 84),
    socket.IPPROTO_TCP: range(1, 60),
    socket.IPPROTO_UDP: (1, 100, 101, 102, 103, 104),
    136: (10, 11),      # UDP-Lite
    SOL_RAW: (1,),
    58: (1,),           # ICMPv6
    SOL_NETLINK: range(1, 16),
    SOL_PACKET: range(1, 30),
}
UNSTABLE = {
    socket.SOL_SOCKET: {
        4,              # SO_ERROR: reading clears it, not ours to take
        17, 31, 59,     # SO_PEERCRED, SO_PEERSEC, SO_PEERGROUPS: asked where they mean something
        26, 28,         # SO_GET_FILTER (below), SO_PEERNAME (getpeername)
        49, 55, 56,     # SO_INCOMING_CPU, SO_MEMINFO, SO_INCOMING_NAPI_ID: the last packet's
        57,             # SO_COOKIE: a number the kernel gives
        77,             # SO_PEERPIDFD: opens a descriptor
    },
    # Received options; path MTU; questions that are asked in the buffer (filters of groups, flow labels).
    socket.IPPROTO_IP: {9, 14, 41, 48},
    socket.IPPROTO_IPV6: {6, 24, 61, 32, 48},
    socket.IPPROTO_TCP: {
        11, 26,         # TCP_INFO, TCP_CC_INFO: measurements
        12,             # TCP_QUICKACK: changes with every segment
        19, 20, 21, 22, 24, 29,     # repair
        28, 35,         # TCP_SAVED_SYN, TCP_ZEROCOPY_RECEIVE: take something away
    },
    SOL_PACKET: {6, 21},                    # statistics: reading clears them
}
# Of accepted streams: what the first packet had. Nobody can set them there.
MULTICAST = {(socket.IPPROTO_IP, 32), (socket.IPPROTO_IP, 33), (socket.IPPROTO_IPV6, 17), (socket.IPPROTO_IPV6, 18)}
TIMES = {29, 35, 37, 63, 64, 65}            # SCM_TIMESTAMP...: when it arrived


def connected(s):
    """Or was, before it was closed (SO_PEERNAME)."""
    try:
        return bool(s.getsockopt(socket.SOL_SOCKET, 28, 2))
    except OSError:
        return False


def option_lines(fd, s):
    for level, numbers in LEVELS.items():
        if s.family == socket.AF_UNIX and level != socket.SOL_SOCKET:
            continue            # it has no others, and asking takes time
        for number in numbers:
            if number in UNSTABLE.get(level, ()):
                continue
            if s.type == socket.SOCK_STREAM and (level, number) in MULTICAST:
                continue
            if (level, number) == (socket.IPPROTO_TCP, 2) and connected(s):
                continue    # what a segment holds now: depends on the windows when it was computed
            if (level, number) == (socket.IPPROTO_IPV6, 26) and s.type == socket.SOCK_STREAM and connected(s):
                continue    # IPV6_V6ONLY: a socket with a name has it, a connected one does not care
            try:
                value = s.getsockopt(level, number, 256)
            except OSError:
                continue
            if (level, number) == (socket.SOL_SOCKET, socket.SO_RCVLOWAT) and not any(value):
                value = struct.pack("I", 1)     # what multipath TCP leaves as 0 means, and is set as, 1
            yield f"option {level}:{number} {value.hex()}"


def name_lines(fd, s):
    yield f"socket family {int(s.family)} type {int(s.type)} protocol {s.proto}"
    for name in ("getsockname", "getpeername"):
        try:
            yield f"{name} {getattr(s, name)()!r}"
        except OSError as e:
            yield f"{name} <{e.strerror}>"


def peer_lines(fd, s):
    """Raw and echo sockets have peers without a port, which getpeername does not tell."""
    ino = str(os.fstat(fd).st_ino)
    for name in ("raw", "raw6", "icmp", "icmp6") if s.family in INET else ():
        try:
            with open(f"/proc/net/{name}", encoding="ascii") as f:
                rows = [line.split() for line in f]
        except OSError:
            continue
        for row in rows:
            if row[9:10] == [ino]:
                yield f"{name} local {row[1]} peer {row[2]} state {row[3]}"


def number(fd, request):
    buf = array.array("i", [0])
    try:
        fcntl.ioctl(fd, request, buf)
    except OSError as e:
        return f"<{e.strerror}>"
    return buf[0]


def events(fd):
    poll = select.poll()
    poll.register(fd, 0xffff & ~select.POLLNVAL)
    return poll.poll(0)[0][1] if poll.poll(0) else 0


def state_lines(fd, s):
    # What a datagram socket has to send is in the kernel's hands, and leaves by itself.
    unsent = "by itself" if s.type == socket.SOCK_DGRAM and s.family in INET else number(fd, 0x5411)
    yield f"unread {number(fd, 0x541B)} unsent {unsent} events {events(fd):#x}"
    if s.type == socket.SOCK_STREAM and s.family in INET:
        info = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)
        agreed = f" timestamps, sack, scale {info[5] & 7} by {info[6]:#x}" if connected(s) and info[0] != 7 else ""
        yield f"tcp state {info[0]}{agreed}"
        if connected(s):
            yield f"tcp peer {s.getsockopt(socket.SOL_SOCKET, 28, 28 if s.family == socket.AF_INET6 else 16).hex()}"


def control_text(level, kind, data):
    """Ancillary data without what a second arrival changes: its time, the interface it came by."""
    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
        for fd in struct.unpack(f"{len(data) // 4}i", data):
            os.close(fd)
        return f"{len(data) // 4} descriptors"
    if level == socket.SOL_SOCKET and kind in TIMES:
        data = b""
    if (level, kind) == (socket.IPPROTO_IP, 8):
        data = data[8:]
    if (level, kind) == (socket.IPPROTO_IPV6, 50):
        data = data[:16]
    return f"{level}:{kind}:{data.hex()}"


def hash_of(data):
    return hashlib.sha1(data).hexdigest()[:16]


def peek(s, size):
    data, control, flags, name = s.recvmsg(size, 8192, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    texts = [control_text(*c) for c in control]
    flags &= ~socket.MSG_CMSG_CLOEXEC
    return len(data), f"{len(data)} bytes {hash_of(data)} flags {flags:#x} from {name!r} {' '.join(texts)}".rstrip()


def messages(s):
    """All but the first byte of each message: an empty one that was looked at is marked by the kernel, and never
    shown to another look. So they are jumped over (and counted by the memory they take)."""
    at = 1
    while True:
        s.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, at)
        n, text = peek(s, 1 << 18)
        yield text
        if not n:
            return              # the end of a connection
        at += n + 1


def queue_lines(fd, s):
    """Everything that waits. The offset of looking (SO_PEEK_OFF) is put back."""
    if not events(fd) & select.POLLIN:
        return              # a look at an empty netlink socket would go on with its dump
    if s.family == socket.AF_UNIX and events(fd) & select.POLLERR:
        return              # a look would take the error
    try:
        before = s.getsockopt(socket.SOL_SOCKET, SO_PEEK_OFF)
        s.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, 0)
    except OSError:
        before = None
    try:
        if before is not None and s.type != socket.SOCK_STREAM:
            for i, text in enumerate(messages(s)):
                yield f"queue {i} {text}"
        else:
            yield f"queue {peek(s, 8 << 20)[1]}"
    except OSError as e:
        if e.errno not in (errno.EAGAIN, errno.ENOTCONN, errno.EINVAL):
            yield f"queue <{e.strerror}>"
    finally:
        if before is not None:
            s.setsockopt(socket.SOL_SOCKET, SO_PEEK_OFF, before)


def raw_getsockopt(fd, level, name, buf, length):
    n = ctypes.c_uint32(length)
    r = LIBC.getsockopt(fd, level, name, buf, ctypes.byref(n))
    return n.value if r == 0 else -ctypes.get_errno()


def filter_lines(fd, s):
    """The classic filter; its length is counted in instructions of 8 bytes."""
    n = raw_getsockopt(fd, socket.SOL_SOCKET, SO_GET_FILTER, None, 0)
    if n > 0:
        code = ctypes.create_string_buffer(n * 8)
        raw_getsockopt(fd, socket.SOL_SOCKET, SO_GET_FILTER, code, n)
        yield f"filter {code.raw.hex()}"
    elif n not in (0, -errno.ENOPROTOOPT, -errno.EOPNOTSUPP):
        yield f"filter <{os.strerror(-n)}>"


def groups(family):
    """(interface, group address) of all groups that anybody in this network namespace has joined."""
    path, index = ("/proc/net/igmp", 0) if family == socket.AF_INET else ("/proc/net/igmp6", 0)
    with open(path, encoding="ascii") as f:
        for line in f.read().splitlines():
            w = line.split()
            if family == socket.AF_INET6:
                yield int(w[0]), bytes.fromhex(w[2])
            elif line[0].isdigit():
                index = int(w[0])
            elif line.startswith("\t"):
                yield index, bytes.fromhex(w[0])[::-1]


def member_lines(fd, s):
    """A group's source filter is told to members only."""
    for family in INET if s.family == socket.AF_INET6 else INET[:1] if s.family == socket.AF_INET else ():
        yield from member_lines_of(fd, family)


def member_lines_of(fd, family):
    level = socket.IPPROTO_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
    pad = 4 if family == socket.AF_INET else 8
    for index, group in sorted(set(groups(family))):
        name = struct.pack("HH", family, 0) + b"\0" * (pad - 4) + group
        size = 144 + 64 * 128
        buf = ctypes.create_string_buffer(struct.pack("I4x", index) + name.ljust(128, b"\0") +
                                          struct.pack("II", 0, 64), size)
        if raw_getsockopt(fd, level, MCAST_MSFILTER, buf, size) < 0:
            continue
        mode, n = struct.unpack_from("II", buf.raw, 136)
        sources = sorted(buf.raw[144 + 128 * i:144 + 128 * i + 28].hex() for i in range(min(n, 64)))
        yield f"member of {group.hex()} on {index} mode {mode} sources {sources}"


FACTS = (name_lines, peer_lines, option_lines, state_lines, queue_lines, filter_lines, member_lines)


def lines(fd):
    s = socket.socket(fileno=os.dup(fd))
    with s:
        for fact in FACTS:
            yield from fact(fd, s)
