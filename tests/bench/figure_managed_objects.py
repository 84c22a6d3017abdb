# SPDX-License-Identifier: LGPL-2.1-or-later
"""GetManagedObjects() of a thousand domains, and how long the event thread has no time for anything else meanwhile. That is
seen from without: by a client who pings, beside what he sees with a bare service whose answers are as large, since the
bus is busy with them as well; and by strace, where it is, as the longest time between two waits for events, when the
machine takes nothing of it away (real-time priority, which needs the right to it)."""
import contextlib
import os
import re
import shutil
import signal
import subprocess

from calls import Asker, Endless, took
from figure import Row, median, percentile
from harness import NAME, OBJECT_MANAGER, PATH
from stage import Stage, folder, program, say, wait_until

NUMBER, TITLE = 8, "GetManagedObjects() at 1,000 domains"
DOMAINS = 1000
CALLS = 20
PINGS, INTERVAL_US = 1000, 2000
BARE = "org.example.Bare"
TARGET = (NAME, PATH, OBJECT_MANAGER, "GetManagedObjects")
BARE_TARGET = (BARE, "/", OBJECT_MANAGER, "GetManagedObjects")
PING = ("org.freedesktop.DBus.Peer", "Ping")
WAIT = re.compile(r"^(\d+) +(\d+\.\d+) epoll_wait\(.*<(\d+\.\d+)>$")


class Bare:
    """The least that is a service, beside it."""

    def __init__(self, stage, objects):
        self.process = subprocess.Popen([program("bare-service"), BARE, str(objects)], stdin=subprocess.DEVNULL)
        stage.callback(self.close)
        wait_until(lambda: stage.connection.call_bus("NameHasOwner", "(s)", BARE), "the bare service")

    def close(self):
        self.process.kill()
        self.process.wait()


def pings(name, target, settings):
    """Milliseconds of each, while somebody else asks for all objects without a pause."""
    count = settings.scaled(PINGS, least=100)
    with Endless(*target):
        return took(name, PATH, *PING, count, INTERVAL_US)


@contextlib.contextmanager
def real_time(*pids):
    """Whoever is woken by the event thread (the bus) would run in its place else, where processors are few."""
    try:
        for pid in pids:
            os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        say("no right to real-time priority: what other processes take is in it")
        yield
        return
    try:
        yield
    finally:
        for pid in pids:
            os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))


def away(pid, settings):
    """Milliseconds between the end of a wait and the beginning of the next, of the event thread."""
    trace = os.path.join(folder(), "strace")
    with subprocess.Popen(["strace", "-qq", "-ttt", "-T", "-e", "trace=epoll_wait", "-o", trace, "-p", str(pid)],
                          stdin=subprocess.DEVNULL) as tracer:
        try:
            wait_until(lambda: os.path.exists(trace), "strace")
            with real_time(pid, tracer.pid):
                took(*TARGET, settings.scaled(CALLS, least=5))
        finally:
            tracer.send_signal(signal.SIGINT)
    times, end = [], None
    with open(trace, encoding="utf-8") as file:
        for line in file:
            words = WAIT.match(f"{pid} {line}".rstrip())
            if not words:
                end = None
                continue
            begin = float(words[2])
            if end:
                times.append((begin - end) * 1000)
            end = begin + float(words[3])
    os.unlink(trace)
    return times


def measure(settings):
    count = settings.scaled(DOMAINS, least=100)
    with Stage() as stage:
        say(f"managed objects: {count} domains")
        stage.start().create_storms(count)
        Bare(stage, count)
        calls = settings.scaled(CALLS, least=5)
        ours, bare, our_pings, bare_pings, longest = [], [], [], [], []
        for number in range(settings.rounds):
            steps = [lambda: ours.append(median(took(*TARGET, calls))),
                     lambda: bare.append(median(took(*BARE_TARGET, calls))),
                     lambda: our_pings.append(pings(NAME, TARGET, settings)),
                     lambda: bare_pings.append(pings(NAME, BARE_TARGET, settings))]
            for step in steps if number % 2 == 0 else steps[::-1]:
                step()
            if shutil.which("strace"):
                longest.append(max(away(stage.pid, settings)))
        with Asker(*TARGET, 1) as asker:
            said = asker.said()
        if said["objects"] != count or said["running"] != count:
            raise AssertionError(f"{said['running']} of {said['objects']} run, not {count}")
    yield Row("one call, until its answer is there", median(ours), "ms", at_most=50, samples={"ours": ours})
    yield Row("the same, of a bare service that says as much", median(bare), "ms", samples={"bare": bare})
    yield Row("a ping meanwhile, 99th percentile", median([percentile(each, 99) for each in our_pings]), "ms",
              limit=median([percentile(each, 99) for each in bare_pings]),
              limit_name="while the bare service is called", samples={"ours": our_pings, "bare": bare_pings})
    if longest:
        yield Row("the longest time that the event thread is away", median(longest), "ms", at_most=5,
                  samples={"longest": longest})
