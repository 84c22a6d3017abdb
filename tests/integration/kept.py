# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service that a service manager starts and keeps the connections of (manager.py), and a witness of what QEMU says."""
import signal

import life
from client import Connection
from harness import wait_until
from manager import Manager

KEPT, GAP = "connection-kept", "service-restarted"
TOLD = {"STOP": "suspended", "RESUME": "resumed"}


class Watcher(life.SecondMonitor):
    """A second monitor that notes QEMU's time of each STOP and RESUME, as the service gets them."""

    def __init__(self, name):
        self.told = []
        super().__init__(name)

    def heard(self, event):
        if event["event"] in TOLD:
            self.told.append((TOLD[event["event"]], life.time_of(event)))


class StoreCase(life.LifeCase):
    def setUp(self):
        self.first = Connection()
        self.addCleanup(self.first.close)
        # One that the bus has started for another case.
        if self.first.service_runs():
            self.first.kill_service(signal.SIGTERM)
        self.manager_of = Manager(self.first)
        self.addCleanup(self.manager_of.close)
        self.manager_of.start()
        self.manager_of.wait_ready()
        super().setUp()

    def run_watched(self, name, **keys):
        domain = self.define(name, machine="none", arguments=life.second_monitor(name), **keys)
        domain.start()
        watcher = Watcher(name)
        self.addCleanup(watcher.close)
        self.wait_kept(domain)
        return domain, watcher

    def wait_kept(self, *domains):
        names = sorted("monitor-" + domain.get("Domain", "UUID") for domain in domains)
        wait_until(lambda: self.manager_of.names() == names, f"{names} to be kept")

    def back(self):
        self.manager_of.start()
        self.manager_of.wait_ready()

    def wait_resynchronized(self, domain, reason, since):
        told = self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
        self.assertEqual(reason, told.arguments[0])
        return told

    def told(self, domain, since=0):
        """(event, time) of each suspended and resumed."""
        return [(s.arguments[0], s.time) for s in
                self.recorder.find("Domain.Lifecycle", path=domain.path, since=since)
                if s.arguments[0] in TOLD.values()]
