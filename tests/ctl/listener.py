# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmheraldctl as somebody who listens."""

import os
import subprocess
import unittest

import tap
from fake_service import OTHER, UUID, FakeService, PrivateBus
from tap import DEADLINE


class Listener:
    """vmheraldctl events, started and ready."""

    def __init__(self, bus, *arguments, stdout=subprocess.PIPE):
        reader, writer = os.pipe()
        self.process = subprocess.Popen(
            [tap.PROGRAM, f"--address={bus.address}", "events", f"--ready-fd={writer}", *arguments],
            pass_fds=[writer], stdout=stdout, stderr=subprocess.PIPE, env=tap.environment())
        os.close(writer)
        line = os.read(reader, 64)
        os.close(reader)
        if line != b"ready\n":
            raise AssertionError((line, self.process.communicate(timeout=DEADLINE)))

    def finish(self):
        """The lines, once it has ended by --count."""
        out, err = self.process.communicate(timeout=DEADLINE)
        if self.process.returncode != 0:
            raise AssertionError((self.process.returncode, err))
        self.err = err.decode("utf-8")
        return out.decode("utf-8").splitlines()

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate(timeout=DEADLINE)


class ListeningCase(unittest.TestCase):
    """A service that is played, with two domains, and who listens to it."""
    maxDiff = None

    def setUp(self):
        self.bus = PrivateBus()
        self.addCleanup(self.bus.stop)
        self.fake = FakeService(self.bus)
        self.addCleanup(self.fake.stop)
        self.fake.add_domain(UUID, "vm", "running")
        self.fake.add_domain(OTHER, "other", "running")

    def listen(self, *arguments):
        listener = Listener(self.bus, *arguments)
        self.addCleanup(listener.stop)
        return listener
