#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""However a measurement ends, nothing of it is left: no process, no file, no folder."""
import os
import signal
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

import place
import processes

# Within, somebody writes files, by a process of its own for each, as long as he can. LAST is what the measurement does then.
PROGRAM = """
import os, signal, subprocess, sys
from gi.repository import GLib
import place
with place.installed(os.environ["VMHERALD_BUILD"]) as folder:
    subprocess.Popen(["/bin/sh", "-c", 'while :; do i=$((i + 1)); (: >"$0/$i"); done', folder], start_new_session=True,
                     stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    print(folder, flush=True)
    LAST
print("behind", flush=True)
"""
# Where it is nearly all the time: in a callback from GLib.
LOOP = "GLib.idle_add(lambda: True); GLib.MainLoop().run()"


class Ends(unittest.TestCase):
    def setUp(self):
        self.base = self.enterContext(tempfile.TemporaryDirectory(prefix="vmherald-test-"))
        # What is ignored here, as it is below nohup, would be ignored by what is started.
        for number in place.ENDING:
            self.addCleanup(signal.signal, number, signal.signal(number, signal.default_int_handler
                                                                 if number == signal.SIGINT else signal.SIG_DFL))

    def start(self, last, **keys):
        process = subprocess.Popen([sys.executable, "-c", PROGRAM.replace("LAST", last)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, text=True, start_new_session=True,
                                   env={**os.environ, "TMPDIR": self.base}, **keys)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        folder = process.stdout.readline().rstrip("\n")
        self.addCleanup(processes.end_all, folder, 0)
        self.assertEqual(self.base, os.path.dirname(folder))
        return process, folder

    def check(self, process, folder, status, said=""):
        self.assertEqual(said, process.stdout.read())
        returned = process.wait()
        self.assertEqual([], processes.processes_of(folder))
        self.assertEqual([], os.listdir(self.base))
        self.assertEqual(status, returned)

    def test_by_itself(self):
        self.check(*self.start("pass"), 0, "behind\n")

    def test_by_an_exception(self):
        self.check(*self.start("raise AssertionError('lost')", stderr=subprocess.DEVNULL), 1)

    def test_by_a_status(self):
        self.check(*self.start("sys.exit(3)"), 3)

    def test_killed(self):
        self.check(*self.start("os.kill(os.getpid(), signal.SIGKILL)"), 128 + signal.SIGKILL)

    def test_told(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            with self.subTest(number):
                process, folder = self.start(LOOP)
                # Twice: nobody is disturbed while he tidies up.
                process.send_signal(number)
                process.send_signal(number)
                self.check(process, folder, 128 + number)

    def test_by_the_terminal(self):
        process, folder = self.start(LOOP)
        os.killpg(process.pid, signal.SIGINT)
        self.check(process, folder, 128 + signal.SIGINT)

    def test_ignored(self):
        """As by nohup: another signal is what ends it."""
        before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        process, folder = self.start(LOOP)
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        self.check(process, folder, 128 + signal.SIGTERM)

    def test_started_meanwhile(self):
        """Who ends processes looks again, until there is none."""
        folder = tempfile.mkdtemp(dir=self.base)
        with unittest.mock.patch("processes.end_all", side_effect=[["one"], ["its child"], []]) as end_all:
            place._clear(folder)
        self.assertEqual(3, end_all.call_count)
        self.assertEqual([], os.listdir(self.base))


if __name__ == "__main__":
    unittest.main()
