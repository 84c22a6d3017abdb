# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cases in which so much happens that somebody misses something, or would without the library.

A case has a bus and a service of its own. The domains are storm_qemu.py, or real QEMUs with a second monitor; who
listens is tests/client/subscriber, built on the library, and beside it tests/client/listener, which is not. What
they have to have heard is known twice: from the source, which counted, and from the history of the service, read on
another connection."""
import json
import os
import signal
import subprocess
import time

from gi.repository import GLib

import buses
import harness
from client import Connection
from harness import NAME, PATH, folder, wait_until
from manager import Manager
from storm import EVENTS, NUMBER_OF

PROGRAMS = os.path.join(os.environ["VMHERALD_BUILD"], "tests", "client")
STORM_QEMU = os.path.join(os.path.dirname(os.path.abspath(__file__)), "storm_qemu.py")
OUTGOING_BYTES = 64 << 10            # of a bus that drops
SLEEP_AT = "1000"                    # events
SLEEP_EARLY, FIRST = "10", 48        # of each domain: that the bus takes, and a history of the smallest size has
STORM_SECONDS = 90.0                # what only a failure takes
AMPLE = ("--history-events=600000", f"--history-size={256 << 20}")


class Event(tuple):
    """(sequence, path, "Interface.Member", arguments, time)"""
    __slots__ = ()
    sequence = property(lambda self: self[0])
    path = property(lambda self: self[1])
    name = property(lambda self: self[2])
    arguments = property(lambda self: self[3])
    time = property(lambda self: self[4])


class Filter:
    """What a subscriber registers, and which events that is. order: what the library keeps in order, where it
    has to fetch some, as the key of an event; those with the same are in the order of their sequence."""

    def __init__(self, text, wants, order):
        self.text = text
        self.wants = wants
        self.order = order

    def of(self, events):
        return [event for event in events if self.wants(event)]


# Each names the one before it of what is wanted: all; of a kind, those of its domain; with arg0, none.
ALL = Filter("all", lambda e: True, lambda e: None)
CLOCK = Filter("kind=Guest.RtcChanged", lambda e: e.name == "Guest.RtcChanged", lambda e: e.path)
SLOT_Q = Filter("interface=Devices,arg0=q",
                lambda e: e.name.startswith("Devices.") and e.arguments[0] == "q", lambda e: e)


def of_domain(domain):
    return Filter(f"domain={domain.get('Domain', 'UUID')}", lambda e: e.path == domain.path,
                  lambda e: None)


class Program:
    """subscriber or listener: it writes to a file, which is read here as it grows."""
    count = 0

    def __init__(self, name, *arguments, user=None):
        Program.count += 1
        self.path = os.path.join(folder(), f"heard-{Program.count}")
        self.file = open(self.path, "w+", encoding="utf-8")
        credentials = {}
        if user is not None:
            os.chown(self.path, user, user)
            credentials = {"user": user, "group": user, "extra_groups": []}
        self.process = subprocess.Popen([os.path.join(PROGRAMS, name), self.path, *arguments],
                                        stdin=subprocess.PIPE, **credentials)
        self.rest = ""
        self.events = []
        self.notes = []                  # (number of events before it, words)

    def read(self):
        """Takes in what is there."""
        *lines, self.rest = (self.rest + self.file.read()).split("\n")
        for line in lines:
            if line[0].isdigit():
                sequence, time, path, name, arguments = line.split(" ", 4)
                self.events.append(Event((int(sequence), path, name.removeprefix(NAME + "."),
                                          tuple(json.loads(arguments)), int(time))))
            else:
                self.notes.append((len(self.events), line.split(" ")))
        return self

    def noted(self, word):
        return [words[1:] for _, words in self.read().notes if words[0] == word]

    def wait_noted(self, word, times=1):
        def done():
            return len(self.noted(word)) >= times or self.check_alive()
        wait_until(done, f"a line '{word}'", STORM_SECONDS)
        return self.noted(word)

    def check_alive(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.process.args} ended with {self.process.returncode}")

    def position(self):
        """The sequence up to which it says that it has all, and the text."""
        positions = self.noted("position")
        text = positions[-1][0] if positions else ""
        return int(text.partition("+")[0] or -1), text

    def wait_complete(self, truth):
        """It knows that it has all of truth that it wants. Of what others want it need not hear."""
        last = self.wanted.of(truth)[-1].sequence
        try:
            wait_until(lambda: self.position()[0] >= last or self.check_alive(), "it", STORM_SECONDS)
        except AssertionError:
            raise AssertionError(f"it has not all up to {last}, but {len(self.events)} events, and "
                                 f"{str(self.notes[-5:])[-500:]}") from None

    def signal(self, number):
        self.process.send_signal(number)

    def wake(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.file.close()
        os.unlink(self.path)


class StormCase(harness.ServiceCase):
    bus_type = buses.Daemon
    bus_options = {}
    service_options = AMPLE
    store = False
    user = None                          # of who listens, if it is another one; as root

    def setUp(self):
        self.bus = self.bus_type(**self.bus_options)
        self.addCleanup(self.bus.close)
        self.addCleanup(os.environ.__setitem__, "DBUS_SESSION_BUS_ADDRESS",
                        os.environ["DBUS_SESSION_BUS_ADDRESS"])
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = self.bus.address
        self.connection = Connection()
        self.addCleanup(self.connection.close)
        self.service = Manager(self.connection, options=self.service_options, store=self.store)
        self.addCleanup(self.service.close)
        self.back()
        self.addCleanup(self.remove_domains)
        self.empty = os.path.join(folder(), "empty")
        open(self.empty, "w", encoding="utf-8").close()
        wait_until(lambda: self.connection.get(PATH, f"{NAME}.Manager", "Emulators"), "the emulators")

    def back(self):
        self.service.start()
        self.service.wait_ready()

    def kill(self):
        self.service.end(signal.SIGKILL)

    def wait_kept(self, domains):
        names = sorted("monitor-" + domain.get("Domain", "UUID") for domain in domains)
        wait_until(lambda: self.service.names() == names, "the connections to be kept")

    def last(self):
        return self.connection.get(PATH, f"{NAME}.Manager", "LastSequence")

    # ---- who listens ----

    def listen(self):
        return self._begin("listener")

    def subscribe(self, wanted, *options):
        """By a Filter, which it is then known by."""
        program = self._begin("subscriber", *options, wanted.text)
        program.wanted = wanted
        return program

    def _begin(self, name, *arguments):
        program = Program(name, *arguments, user=self.user)
        self.addCleanup(program.close)
        program.wait_noted("ready")
        return program

    def history(self, after):
        """All that was told behind it, as the service has kept it."""
        program = Program("listener", str(after))
        self.addCleanup(program.close)
        self.assertEqual(0, program.process.wait())
        program.read()
        self.assertEqual([], program.noted("incomplete"))
        self.assertEqual([[]], program.noted("end"))
        return program.events

    # ---- what happens ----

    def make_domains(self, count, **keys):
        domains = []
        for number in range(count):
            domains.append(self.define(f"storm{number}", machine="none", emulator=STORM_QEMU,
                                       arguments=["-replay", self.empty], **keys))
            domains[-1].start()
        return domains

    @staticmethod
    def blow(domains, count, first=0):
        for domain in domains:
            domain.qmp("x-storm", {"first": first, "count": count})

    def wait_blown(self, domains):
        """The source has said all, and that has been told. The sequence of the last of it."""
        for domain in domains:
            wait_until(lambda: self.is_blown(domain), "the storm to end", STORM_SECONDS)
        return self.last()

    @staticmethod
    def is_blown(domain):
        """Not while it is being connected to."""
        return domain.state == "running" and domain.qmp("x-storm-left") == {"left": 0}

    def wait_told(self, sequence):
        """So many have been told, whoever has heard them."""
        wait_until(lambda: self.last() >= sequence, f"event {sequence} to be told", STORM_SECONDS)

    def wait_resynchronized(self, domains, after, times):
        """That of the service before is over: a kill in the midst of it would leave one for two."""
        def is_told(domain):
            wanted = {"domain": GLib.Variant("o", domain.path),
                      "member": GLib.Variant("s", "Resynchronized")}
            return self.connection.call(PATH, f"{NAME}.Manager", "CountEvents", "(ta{sv})", after,
                                        wanted)[2] >= times
        for domain in domains:
            wait_until(lambda: is_told(domain), f"Resynchronized {times} times", STORM_SECONDS)

    # ---- what it has to be ----

    def numbers(self, events, domain):
        """Those of the storm, in the order in which they came."""
        return [NUMBER_OF[e.name](e.arguments) for e in events
                if e.path == domain.path and e.name in NUMBER_OF]

    def check_complete(self, subscriber, truth):
        """It has all of truth that it wants, once and in order, and knows it; no gap was told."""
        subscriber.wait_complete(truth)
        self.assertEqual([], subscriber.noted("gap"))
        self.check_heard(subscriber.wanted, truth, subscriber.events)

    def check_heard(self, wanted, truth, heard):
        self.assert_same(wanted.of(truth), sorted(heard))
        last = {}
        for event in heard:
            key = wanted.order(event)
            self.assertLess(last.get(key, 0), event.sequence, event)
            last[key] = event.sequence

    def check_source(self, events, domains, count, kinds=range(len(EVENTS))):
        """All that the source said of these kinds, once, and in its order."""
        expected = [n for n in range(count) if n % len(EVENTS) in kinds]
        for domain in domains:
            self.assert_same(expected, self.numbers(events, domain))

    def assert_same(self, expected, got):
        """As assertEqual, without a difference of megabytes."""
        if expected == got:
            return
        at = next((i for i, pair in enumerate(zip(expected, got)) if pair[0] != pair[1]),
                  min(len(expected), len(got)))
        raise AssertionError(f"{len(got)} and not {len(expected)}; the first difference is at {at}: "
                             f"{got[max(at - 1, 0):at + 3]} and not {expected[max(at - 1, 0):at + 3]}")


class SleepingCase(StormCase):
    """Who listens sleeps through a storm of so many events of each domain."""
    domains, count = 2, 100000

    def storm(self, *filters):
        """The domains, those who slept through it, and all that was told."""
        domains = self.make_domains(self.domains)
        begin = self.last()
        subscribers = [self.subscribe(wanted, "--pause-at", SLEEP_AT) for wanted in
                       (of_domain(domains[0]), *filters)]
        self.blow(domains, self.count)
        for subscriber in subscribers:
            subscriber.wait_noted("paused")
        self.wait_told(begin + self.domains * self.count)
        return domains, subscribers, self.history(begin)

    def wake(self, subscribers, truth):
        start = time.monotonic()
        for subscriber in subscribers:
            subscriber.wake()
        for subscriber in subscribers:
            self.check_complete(subscriber, truth)
        harness.note(f"measured: {self.bus.name}: {time.monotonic() - start:.1f} s from waking up until "
                     f"all of {len(truth)} events were there")


class DropsCase(StormCase):
    """On a bus that takes little for each receiver, and drops the rest."""
    domains = 2
    bus_options = {"max_outgoing_bytes": OUTGOING_BYTES}

    def sleep_through(self, count, *filters):
        """Who listens without the library sleeps beside them, and so proves that the bus has dropped."""
        domains = self.make_domains(self.domains)
        begin = self.last()
        plain = self.listen()
        plain.signal(signal.SIGSTOP)
        subscribers = [self.subscribe(wanted, "--pause-at", SLEEP_EARLY)
                       for wanted in (of_domain(domains[0]), *filters)]
        # So few that a slow one has missed nothing yet when it falls asleep.
        self.blow(domains, FIRST)
        for subscriber in subscribers:
            subscriber.wait_noted("paused")
        self.blow(domains, count - FIRST, first=FIRST)
        self.wait_told(begin + self.domains * count)
        plain.signal(signal.SIGCONT)
        for subscriber in subscribers:
            subscriber.wake()
        return domains, subscribers, begin, plain

    def check_dropped(self, plain, domain, told):
        """An event that comes through to it shows that it has taken in all that there was."""
        def comes_through():
            last = self.last()
            domain.call("Domain", "Suspend")
            domain.call("Domain", "Resume")
            return plain.read().events[-1].sequence > last
        harness.wait_until(comes_through, "it to have taken in what there was")
        lost = told - sum(e.name in NUMBER_OF for e in plain.events)
        harness.note(f"measured: {self.bus.name} dropped {lost} of {told}")
        self.assertGreater(lost, told // 2)
