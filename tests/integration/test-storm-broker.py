# SPDX-License-Identifier: LGPL-2.1-or-later
"""dbus-broker does not drop what a slow listener does not take, it cuts him off. By the library he comes back, and has
all 200,000 events once and in order."""
import os
import shutil
import unittest

import buses
import harness
import storm_case
from storm_case import CLOCK

BROKER = unittest.skipUnless(shutil.which("dbus-broker"), "dbus-broker is not installed")
BROKER_BYTES = 32 << 20              # that a user may have waiting
NOBODY = 65534


@BROKER
class SleepingOnBroker(storm_case.SleepingCase):
    bus_type = buses.Broker

    def test_200000(self):
        domains, subscribers, truth = self.storm(CLOCK)
        self.check_source(truth, domains, self.count)
        self.wake(subscribers, truth)


@BROKER
@unittest.skipUnless(os.geteuid() == 0, "only root can let another user listen")
class CutOffByBroker(storm_case.SleepingCase):
    """Its bound is of a user: another one's listeners are cut off, and come back."""
    bus_type = buses.Broker
    bus_options = {"max_bytes": BROKER_BYTES}
    user = NOBODY

    def setUp(self):
        os.chmod(harness.folder(), 0o711)
        self.addCleanup(os.chmod, harness.folder(), 0o700)
        super().setUp()
        os.chmod(self.bus.path, 0o666)
        try:
            storm_case.Program("subscriber", user=NOBODY).close()
        except PermissionError:
            self.skipTest("another user cannot get at the programs of the build")

    def test_200000(self):
        domains, subscribers, truth = self.storm(CLOCK)
        self.check_source(truth, domains, self.count)
        self.wake(subscribers, truth)
        self.assertIn(["0"], subscribers[0].noted("status"))


if __name__ == "__main__":
    harness.main()
