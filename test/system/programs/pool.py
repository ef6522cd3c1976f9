#!/usr/bin/python3
"""multiprocessing with fresh processes: a pool, a manager, a queue, shared memory, semaphores with names.

Everything that passes between the processes is counted; nothing may be missing or come twice.
"""
import multiprocessing
import sys
import time
from multiprocessing import shared_memory

ROUNDS, ITEMS = 50, 20


def square(number):
    time.sleep(0.002)
    return number * number


def feed(queue, shared, name, lock, done):
    memory, number = shared_memory.SharedMemory(name=name), 0
    while not done.is_set():
        with lock:
            number += 1
            shared["last"] = number
            memory.buf[:8] = number.to_bytes(8, "little")
        queue.put(number)
        time.sleep(0.005)
    memory.close()
    queue.put(None)


def main(method):
    multiprocessing.set_start_method(method)
    manager = multiprocessing.Manager()
    shared, queue = manager.dict(), multiprocessing.Queue()
    lock, done = multiprocessing.Lock(), multiprocessing.Event()
    memory = shared_memory.SharedMemory(create=True, size=4096)
    feeder = multiprocessing.Process(target=feed, args=(queue, shared, memory.name, lock, done))
    feeder.start()
    with multiprocessing.Pool(2) as pool:
        total = sum(sum(pool.map(square, range(ITEMS))) for _ in range(ROUNDS))
    done.set()
    numbers = list(iter(queue.get, None))
    feeder.join()
    right = (numbers == list(range(1, len(numbers) + 1)) and shared["last"] == len(numbers) and
             int.from_bytes(memory.buf[:8], "little") == len(numbers) > 0)
    memory.close()
    memory.unlink()
    print("sum %d, the queue is %s" % (total, "right" if right else "wrong: %s" % numbers))
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
