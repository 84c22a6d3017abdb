#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""When "wait" ends, and how."""

import subprocess
import unittest

import tap
from fake_service import OTHER, SERVICE, UUID, Failure, FakeService, PrivateBus, path_of
from tap import DEADLINE

# event and the states in which it counts as having happened
SATISFIED = {
    "started": ("running", "paused", "pm-suspended"),
    "suspended": ("paused",),
    "resumed": ("running",),
    "shutdown": ("shutting-down", "shut-off"),
    "stopped": ("shut-off",),
    "pm-suspended": ("pm-suspended",),
    "crashed": ("crashed",),
    "starting": (),
}
STATES = ("shut-off", "starting", "running", "paused", "pm-suspended", "shutting-down", "crashed", "unknown")


class Wait(unittest.TestCase):
    def setUp(self):
        self.bus = PrivateBus()
        self.addCleanup(self.bus.stop)
        self.fake = FakeService(self.bus)
        self.addCleanup(self.fake.stop)
        self.fake.add_domain(UUID, "vm", "starting")
        self.fake.add_domain(OTHER, "other", "starting")

    def run_wait(self, *arguments):
        return tap.run(f"--address={self.bus.address}", "wait", *arguments)

    def start_wait(self, *arguments):
        process = subprocess.Popen([tap.PROGRAM, f"--address={self.bus.address}", "wait", *arguments],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=tap.environment())
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=DEADLINE)

    def finish(self, process, code=0):
        out, err = process.communicate(timeout=DEADLINE)
        self.assertEqual((process.returncode, out), (code, b""), err)
        return err.decode("utf-8")

    def test_state_holds_already(self):
        for event, states in SATISFIED.items():
            for state in states:
                with self.subTest(f"{event} {state}"):
                    self.fake.domains[UUID][1] = state
                    self.assertEqual(self.run_wait("vm", event).code, 0)
                    self.assertEqual(self.run_wait(UUID, event).code, 0)

    def test_state_does_not_hold(self):
        for event, states in SATISFIED.items():
            for state in set(STATES) - set(states):
                with self.subTest(f"{event} {state}"):
                    self.fake.domains[UUID][1] = state
                    self.fake.calls.clear()
                    process = self.start_wait("vm", event)
                    self.fake.wait_call("Get" if states else "GetDomain")
                    # What the state alone did not end, another answer does.
                    self.fake.answers["GetDomain"] = Failure("Io", "still waiting")
                    self.fake.added(UUID, "vm")
                    self.assertIn("still waiting", self.finish(process, 1))
                    del self.fake.answers["GetDomain"]

    def test_event_comes(self):
        for domain in ("vm", UUID):
            for event in SATISFIED:
                with self.subTest(f"{domain} {event}"):
                    self.fake.domains[UUID][1] = "unknown"
                    self.fake.calls.clear()
                    process = self.start_wait(domain, event)
                    self.fake.wait_call("Get" if SATISFIED[event] else "GetDomain")
                    self.fake.lifecycle(OTHER, event)
                    self.fake.lifecycle(UUID, "undefined")
                    self.fake.lifecycle(UUID, event)
                    self.finish(process)

    def test_member(self):
        for name in ("DeviceAdded", "Devices.DeviceAdded", "Devices.*"):
            with self.subTest(name):
                self.fake.calls.clear()
                process = self.start_wait("vm", name)
                self.fake.wait_call("GetDomain")
                self.fake.emit(path_of(OTHER), "Devices", "DeviceAdded", "sss", ("x", "y", "/z"))
                self.fake.emit(path_of(UUID), "Devices", "DeviceAdded", "sss", ("x", "y", "/z"))
                self.finish(process)

    def test_event_between_match_and_state(self):
        self.fake.hold("Get")
        process = self.start_wait("vm", "started")
        self.fake.wait_call("Get")
        self.fake.lifecycle(UUID, "started")
        self.fake.flush()
        self.fake.release("Get")            # with the old state
        self.finish(process)

    def test_timeout(self):
        outcome = self.run_wait("vm", "started", "--timeout=0")
        self.assertEqual(outcome.code, 3)
        self.assertIn("'started' did not happen to 'vm' in time", outcome.err)
        self.assertEqual(self.run_wait("vm", "DeviceAdded", "--timeout=0.1").code, 3)

    def test_timeout_of_a_service_that_hangs(self):
        for member in ("LastSequence", "GetDomain", "Get"):
            with self.subTest(member):
                self.fake.hold(member)
                self.assertEqual(self.run_wait("vm", "started", "--timeout=0.3").code, 3)
                self.fake.release(member)

    def test_no_such_domain(self):
        outcome = self.run_wait("nobody", "started")
        self.assertEqual((outcome.code, outcome.err), (1, "vmheraldctl: There is no domain 'nobody'\n"))

    def test_defined(self):
        self.assertEqual(self.run_wait("vm", "defined").code, 0)
        process = self.start_wait("new", "defined")
        self.fake.wait_call("GetDomain", 2)
        uuid = "22222222-2222-2222-2222-222222222222"
        self.fake.added(OTHER, "other")
        self.fake.wait_call("GetDomain", 2)
        self.fake.add_domain(uuid, "new", "shut-off")
        self.fake.added(uuid, "new")
        self.finish(process)

    def test_undefined(self):
        self.assertEqual(self.run_wait("nobody", "undefined").code, 0)
        for how in (lambda: self.fake.removed(UUID), lambda: self.fake.lifecycle(UUID, "undefined")):
            self.fake.calls.clear()
            process = self.start_wait("vm", "undefined")
            self.fake.wait_call("GetDomain")
            self.fake.removed(UUID, "Block")
            how()
            self.finish(process)

    def test_domain_vanishes(self):
        process = self.start_wait("vm", "resumed")
        self.fake.wait_call("Get")
        self.fake.removed(OTHER)
        self.fake.removed(UUID, "Block")
        self.fake.removed(UUID)
        self.assertIn("The domain 'vm' is gone", self.finish(process, 1))
        process = self.start_wait("vm", "stopped")
        self.fake.wait_call("Get", 2)
        self.fake.removed(UUID)
        self.finish(process)

    def test_service_restarts(self):
        process = self.start_wait("vm", "started")
        self.fake.wait_call("Get")
        self.fake.go_away()
        self.fake.domains[UUID][1] = "running"      # it happened while nobody told
        self.fake.come_back()
        self.finish(process)

    def test_service_dies_in_the_first_call(self):
        for member in ("GetDomain", "Get"):
            with self.subTest(member):
                self.fake.domains[UUID][1] = "starting"
                self.fake.calls.clear()
                self.fake.hold(member)
                process = self.start_wait("vm", "started")
                self.fake.wait_call(member)
                self.fake.go_away()
                self.fake.held.clear()
                self.fake.invocations.clear()
                self.fake.domains[UUID][1] = "running"
                self.fake.come_back()
                self.finish(process)

    def test_service_restarts_without_the_domain(self):
        process = self.start_wait("vm", "started")
        self.fake.wait_call("Get")
        self.fake.go_away()
        del self.fake.domains[UUID]
        self.fake.come_back()
        self.assertIn("There is no domain", self.finish(process, 1))

    def test_other_errors(self):
        self.fake.answers["GetDomain"] = Failure("org.freedesktop.DBus.Error.AccessDenied", "No")
        outcome = self.run_wait("vm", "started")
        self.assertEqual((outcome.code, outcome.err), (1, "vmheraldctl: No\n"))
        self.fake.go_away()
        self.assertEqual(self.run_wait("vm", "started").code, 4)
        self.bus.add_activation(SERVICE, "/bin/false")
        self.assertEqual(self.run_wait("vm", "started").code, 4)
        self.fake.come_back()


if __name__ == "__main__":
    tap.main()
