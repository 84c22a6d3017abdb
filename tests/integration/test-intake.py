# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service is killed in a storm, again and again. With its connections kept, the history has each event that QEMU
emitted, once and in order; without, it has all that had been read. A second monitor is the witness."""
import os
import random
import signal
import struct
import threading

import harness
import life
from harness import GLib, NAME, wait_until
from kept import GAP, KEPT, StoreCase

KILLS = int(os.environ.get("VMHERALD_INTAKE_KILLS", "12"))
SEED = int(os.environ.get("VMHERALD_INTAKE_SEED", "7"))
LIFECYCLE, PANICKED = ("Domain", "Lifecycle"), ("Domain", "Panicked")
# What is told of each event: one has two signals.
SIGNALS = {
    "STOP": [LIFECYCLE + ("suspended",)],
    "RESUME": [LIFECYCLE + ("resumed",)],
    "GUEST_PANICKED": [PANICKED + ("run",), LIFECYCLE + ("crashed",)],
}
TOLD = {each for signals in SIGNALS.values() for each in signals}
# qmp/journal.c
JOURNAL_HEAD, JOURNAL_DATA = struct.Struct("16s48sQQII"), 4096


class Witness(life.SecondMonitor):
    """Notes every event with QEMU's time."""

    def __init__(self, name):
        self.said = []
        super().__init__(name)

    def heard(self, event):
        self.said.append((event["event"], life.time_of(event)))

    def stop_and_go(self):
        self.execute("stop")
        self.execute("cont")

    def panic(self):
        self.execute("stop")
        for _ in range(3):
            self.execute("human-monitor-command", **{"command-line": f"o /b {life.PVPANIC:#x} 1"})
        self.execute("cont")


def expected(said):
    return [each + (time,) for event, time in said for each in SIGNALS[event]]


class Storm(threading.Thread):
    def __init__(self, act):
        super().__init__()
        self.act, self.over, self.failure = act, threading.Event(), None

    def run(self):
        try:
            while not self.over.is_set():
                self.act()
        except (AssertionError, OSError, ValueError) as failure:
            self.failure = failure

    def end(self):
        self.over.set()
        self.join()


class Intake(StoreCase):
    def last(self):
        return self.connection.get(harness.PATH, f"{NAME}.Manager", "LastSequence")

    def history(self, after, domain):
        """(interface, member, first argument, time, reason) of what was told of the domain."""
        found, end = [], self.last()
        while after < end:
            complete, after, events = self.manager("GetEvents", "(ta{sv}u)", after,
                                                   {"domain": GLib.Variant("o", domain.path)}, 5000)
            self.assertTrue(complete)
            found += [(e[4].removeprefix(NAME + "."), e[5], e[6][0], e[2], e[6][1]) for e in events]
        return found

    def run_two(self):
        calm = self.define("calm", machine="none", arguments=life.second_monitor("calm"))
        nervous = self.define("nervous", arguments=life.second_monitor("nervous"),
                              devices=[{"driver": "pvpanic"}])
        domains = [calm, nervous]
        for domain in domains:
            domain.start()
        witnesses = [Witness(domain.name) for domain in domains]
        for witness in witnesses:
            self.addCleanup(witness.close)
        witnesses[1].execute("set-action", panic="none")
        return domains, witnesses, [Storm(witnesses[0].stop_and_go), Storm(witnesses[1].panic)]

    def has_mapped(self):
        try:
            with open(f"/proc/{self.manager_of.process.pid}/maps", encoding="utf-8") as maps:
                return "/journal" in maps.read()
        except OSError:
            return False

    def kill_soon(self, chance, witnesses):
        """At some moment: while it finds its domains, as soon as it is there, or after some events."""
        wanted = chance.choice([None, 0, 0, 1]) and chance.randrange(1, 400)
        self.manager_of.start()
        if wanted is None:
            wait_until(self.has_mapped, "the service to have its journals")
        else:
            self.manager_of.wait_ready()
            before = [len(witness.said) for witness in witnesses]
            wait_until(lambda: any(len(w.said) >= n + wanted for w, n in zip(witnesses, before)), "some events")
        return self.manager_of.end()

    def check_ended(self, storms):
        for storm in storms:
            storm.end()
        self.assertEqual([None] * len(storms), [storm.failure for storm in storms])

    def wait_told(self, since, domain, witness):
        """The last event that it said."""
        last = expected(witness.said)[-1]
        wait_until(lambda: last in [each[:4] for each in self.history(since, domain)], "the last event", deadline=120)

    def test_kept(self):
        chance = random.Random(SEED)
        domains, witnesses, storms = self.run_two()
        self.wait_kept(*domains)
        since = self.last()
        for witness in witnesses:
            witness.said.clear()
        for storm in storms:
            storm.start()
        try:
            self.manager_of.end()
            for _ in range(KILLS):
                self.kill_soon(chance, witnesses)
        finally:
            self.check_ended(storms)
        self.back()
        n_resynchronized = 0
        for domain, witness in zip(domains, witnesses):
            self.wait_told(since, domain, witness)
            wait_until(lambda: domain.state == "running", "the state")
            history = self.history(since, domain)
            self.assertEqual(expected(witness.said),
                             [each[:4] for each in history if each[:3] in TOLD])
            others = {each[:3] for each in history} - TOLD
            self.assertEqual({("Monitor", "Resynchronized", KEPT)}, others - {("Monitor", "Lost", "no-answer")})
            n_resynchronized += sum(each[:2] == ("Monitor", "Resynchronized") for each in history)
        harness.note(f"measured: kept: {KILLS + 1} kills, {n_resynchronized} times resynchronized, "
                     f"{sum(len(w.said) for w in witnesses)} events, none missing")

    # ---- without the store ----

    def read_left(self, path):
        """Times of the events that the service had read and not dealt with when it was killed."""
        with open(path, "rb") as file:
            content = file.read()
        _, _, _, ends, seen, _ = JOURNAL_HEAD.unpack_from(content)
        start, end = ends >> 32, ends & 0xffffffff
        lines = content[JOURNAL_DATA + start:JOURNAL_DATA + max(end, seen)].split(b"\n")[:-1]
        messages = [harness.json.loads(line) for line in lines]
        return [life.time_of(message) for message in messages if "event" in message]

    def test_not_kept(self):
        """What is missing is what QEMU said from the moment on at which the service had read its last, until it is
        connected again: one piece for each kill."""
        chance = random.Random(SEED + 1)
        self.manager_of.limit = 0
        domains, witnesses, storms = self.run_two()
        paths = [os.path.join(life.runtime_folder(), domain.get("Domain", "UUID"), "journal") for domain in domains]
        since = self.last()
        for witness in witnesses:
            witness.said.clear()
        for storm in storms:
            storm.start()
        gaps = []
        try:
            for _ in range(KILLS):
                told = self.last()
                wanted = [len(witness.said) + chance.randrange(1, 400) for witness in witnesses]
                wait_until(lambda: all(len(w.said) >= n for w, n in zip(witnesses, wanted)), "some events")
                wait_until(lambda: self.last() > told + 50, "some of them to be told")
                self.manager_of.end()
                gaps.append([self.read_left(path) for path in paths])
                self.back()
        finally:
            self.check_ended(storms)
        missing = []
        for n, (domain, witness) in enumerate(zip(domains, witnesses)):
            witness.stop_and_go()
            self.wait_told(since, domain, witness)
            history = self.history(since, domain)
            missing.append(self.check_gaps(witness.said, history, [times[n] for times in gaps]))
        harness.note(f"measured: not kept: {KILLS} kills, {sum(len(w.said) for w in witnesses)} events, missing while "
                     f"nobody was connected: {missing}")

    def check_gaps(self, said, history, left):
        """left: for each kill, what was read and not dealt with. Returns how many are missing."""
        told = [each[:4] for each in history if each[:3] in TOLD and each[4] != "resync"]
        wanted, is_told = expected(said), set(told)
        # In order, and once.
        self.assertEqual(len(is_told), len(told))
        self.assertEqual([each for each in wanted if each in is_told], told)
        # All that had been read.
        times = {each[3] for each in told}
        for read in left:
            self.assertEqual([], [time for time in read if time not in times])
        # One piece for each time it was killed.
        is_missing = [each not in is_told for each in wanted]
        pieces = sum(now and not before for before, now in zip([False] + is_missing, is_missing))
        self.assertLessEqual(pieces, len(left))
        return sum(is_missing)


if __name__ == "__main__":
    harness.main(seconds=280)
