"""What runs on a worker never allocates, locks, logs, sleeps or makes a system call.

Two ways to be worker code: to stand in a file that holds nothing else (WORKER_FILES), or to be a function whose
leading comment begins with "Worker".
"""

import re

WORKER_FILES = {
    "dataplane/pipeline.c", "dataplane/parse.c", "dataplane/esp_open.c", "dataplane/esp_seal.c",
    "dataplane/replay.h",
}

BANNED = {
    "allocates": r"(m|c|re|aligned_)alloc|free|strdup|asprintf|posix_memalign|rte_(z|c|re)?malloc\w*|rte_free|"
                 r"rte_mempool_create|rte_pktmbuf_pool_create|rte_hash_create|rte_ring_create",
    "logs": r"\w*printf|puts|fputs|perror|syslog|rte_log|RTE_LOG|log_(error|warn|warning|notice|info|debug)",
    "locks": r"pthread_\w+|mtx_\w+|cnd_\w+|sem_\w+|rte_spinlock_\w+|rte_rwlock_\w+|rte_ticketlock_\w+",
    "makes a system call": r"open|close|read|write|ioctl|poll|epoll_\w+|send|sendto|sendmsg|recv|recvfrom|recvmsg|"
                           r"mmap|munmap|gettimeofday|time|clock_gettime|usleep|nanosleep|sleep|sched_yield|"
                           r"fopen|fclose|fflush|fwrite|fread|abort|exit",
}
CALL = {why: re.compile(r"(?<![\w.>])(?:" + names + r")\s*\(") for why, names in BANNED.items()}


def calls(tree):
    from tree import without_comments  # here: tree is the argument's name too
    for function in tree.functions:
        if not function.path.startswith("dataplane/"):
            continue
        led = re.match(r"\s*/\*+\s*Worker\b", function.comment)
        if function.path not in WORKER_FILES and not led:
            continue
        for offset, line in enumerate(without_comments("\n".join(function.body)).splitlines()):
            for why, pattern in CALL.items():
                found = pattern.search(line)
                # The definition itself is no call.
                if found and not (offset == 0 and function.name in found.group(0)):
                    yield (f"{function.path}:{function.first + offset}: {function.name} runs on a worker "
                           f"and {why}: {found.group(0).rstrip('( ')}")
