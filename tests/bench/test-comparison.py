#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How a comparison with others judges and tells, with numbers made up; nobody else need be installed."""
import os
import subprocess
import tempfile
import types
import unittest

from beside_isolation import Reads, read
from comparison import Comparison, in_turns, match, medians
from comparison_report import lines
from contenders import CONTENDERS
from guests import Guest
from real import Event

BENCH = os.path.join(os.path.dirname(os.path.realpath(__file__)), "bench")


def emitted(*names, where="0"):
    return [Event(where, name, number, 0) for number, name in enumerate(names)]


def told(*names, where="guest"):
    return [Event(where, name, 0, 1000000) for name in names]


class Matching(unittest.TestCase):
    guests = [Guest("a", "guest", 1), Guest("b", "other", 2)]

    def times(self, told_events, emitted_events):
        return [(event.where, event.name, event.time) for event in match(self.guests, emitted_events, told_events)]

    def test_all(self):
        self.assertEqual([("guest", "suspended", 0), ("guest", "resumed", 1)],
                         self.times(told("suspended", "resumed"), emitted("STOP", "RESUME")))

    def test_behind(self):
        """What has not come yet is not told, and takes nobody's stamp."""
        self.assertEqual([("guest", "suspended", 0)], self.times(told("suspended"), emitted("STOP", "RESUME", "STOP")))

    def test_left_out(self):
        self.assertEqual([("guest", "suspended", 0), ("guest", "suspended", 2)],
                         self.times(told("suspended", "suspended"), emitted("STOP", "RESUME", "STOP")))

    def test_each_by_itself(self):
        both = emitted("STOP") + emitted("STOP", where="1")
        self.assertEqual([("guest", "suspended", 0), ("other", "suspended", 0)],
                         self.times(told("suspended", where="other") + told("suspended"), both))

    def test_not_due(self):
        for events in (told("resumed"), told("suspended", "suspended"), told("suspended", "stopped")):
            with self.assertRaises(AssertionError):
                match(self.guests, emitted("STOP"), events)


class Numbers(unittest.TestCase):
    def test_turns(self):
        """Who is first in one round is last in the next."""
        order = []
        results = in_turns(2, "test", lambda contender: order.append(contender.name) or len(order))
        names = [contender.name for contender in CONTENDERS]
        self.assertEqual(names + names[::-1], order)
        self.assertEqual({"vmherald": 3.5, "libvirt": 3.5, "libvirt-dbus": 3.5}, medians(results, float))

    def test_table(self):
        module = types.SimpleNamespace(NUMBER=1, TITLE="Something")
        rows = [Comparison("a time", "ms", {"vmherald": 2, "libvirt": 3, "libvirt-dbus": 5000}, {"libvirt-dbus"}),
                Comparison("threads", "", {"vmherald": 0, "libvirt": 1, "libvirt-dbus": 1})]
        text = [line.split() for line in lines([(module, rows)])]
        self.assertEqual(["a", "time", "2", "ms", "3", "ms", ">", "5,000", "ms", "1.5", ">", "2,500"], text[2])
        self.assertEqual(["threads", "0", "1", "1", "-", "-"], text[3])

    def test_reads(self):
        self.assertFalse(Reads([1, 2, 3], False).median_cut)
        self.assertFalse(Reads([1, 2, 3, 400], True).median_cut)
        self.assertTrue(Reads([1, 9, 3], True).median_cut)
        self.assertTrue(Reads([400], True).median_cut)

    def test_reads_that_end(self):
        """All were answered, or one has no answer when the time is over: then its time so far counts."""
        asker = types.SimpleNamespace(name="asker", reads=lambda guest, count: ["/bin/sh", "-c", guest])
        self.assertEqual(Reads([5, 7], False), read(asker, "echo 5; echo 7", 2, 60))
        cut = read(asker, "echo 5; exec tail -f /dev/null", 2, 0.5)
        self.assertEqual((True, 2, 5), (cut.cut, len(cut.times), cut.times[0]))
        self.assertGreaterEqual(cut.times[1], 0.5e6 - 5)
        with self.assertRaises(AssertionError):
            read(asker, "echo 5; exit 1", 2, 60)


class Missing(unittest.TestCase):
    def test_says_what(self):
        """A build without libvirt's headers: it names the package, and measures nothing."""
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([BENCH, folder, "--libvirt"], capture_output=True, text=True, check=False)
            self.assertEqual([], os.listdir(folder))
        self.assertEqual(1, done.returncode)
        self.assertEqual("", done.stdout)
        self.assertIn("libvirt-dev", done.stderr)


if __name__ == "__main__":
    unittest.main()
