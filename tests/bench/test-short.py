#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The short form of the figures, for each build: nothing that depends on how quick the machine is, or how busy. In a storm
nothing is lost and order is kept, and an event costs as many instructions as is recorded."""
import functools
import unittest

import buses
import harness
import instructions
from listening import Subscriber, blow
from stage import Stage

EVENTS = 16000


class Storm(unittest.TestCase):
    def storm(self, bus, n_domains):
        """heard() fails if one was lost, came twice or out of order."""
        with Stage(bus) as stage:
            domains = stage.start().create_storms(n_domains)
            with Subscriber(EVENTS) as subscriber:
                blow(domains, EVENTS // n_domains)
                self.assertEqual(n_domains, subscriber.heard()["paths"])

    def test_dbus_daemon_1_domain(self):
        self.storm(buses.Daemon, 1)

    def test_dbus_daemon_8_domains(self):
        self.storm(buses.Daemon, 8)

    def test_dbus_broker_1_domain(self):
        self.storm(buses.Broker, 1)

    def test_dbus_broker_8_domains(self):
        self.storm(buses.Broker, 8)


@functools.cache
def limit():
    with Stage():
        return round(instructions.count_limit())


class Instructions(unittest.TestCase):
    def compare(self, n_domains):
        counted = {"limit": limit(), "service": {str(n_domains): round(instructions.count_service(n_domains))}}
        change, words = instructions.compare(counted, instructions.recorded(), n_domains)
        harness.note(f"measured: {words}")
        self.assertLessEqual(abs(change), instructions.TOLERANCE,
                             f"{words}. If that is meant: tests/bench/count-instructions BUILD --record")

    def test_1_domain(self):
        self.compare(1)

    def test_8_domains(self):
        self.compare(8)


if __name__ == "__main__":
    harness.main()
