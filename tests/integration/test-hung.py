# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that stands still (SIGSTOP): whoever asks it something waits, and nobody else notices."""
import json
import os
import signal
import statistics
import time

import harness
from badcase import RUNS, BadCase, note, service_folder
from harness import NAME, PATH, wait_until

CALLS = 1000
PENDING_MAX = 2048               # calls of one domain
PENDING_RESERVE = 64             # and so many to end it
CALLER_MAX = 1024                # calls of one client
CALLER_RESERVE = 16              # and so many to end a domain
IN_FLIGHT_MAX = 8                # commands that QEMU has been sent
ROUNDS = 100
# Others may not be slowed down. The machine that runs this may be busy, so only a multiple of the
# ordinary time fails, and nothing below the time that counts as quick.
FACTOR = 10
QUICK = 0.02
GRACE = 300000                   # microseconds
DEFAULT_TIMEOUT = 30             # seconds


class Hung(BadCase):
    def setUp(self):
        super().setUp()
        self.hung = self.create("hung")
        self.other = self.create("other")
        self.pid = self.hung.get("Domain", "PID")
        self.addCleanup(self.go_on)

    def stop(self):
        os.kill(self.pid, signal.SIGSTOP)
        # It has stopped when the kernel says so.
        def stopped():
            with open(f"/proc/{self.pid}/stat", encoding="utf-8") as stat:
                return stat.read().rpartition(")")[2].split()[0] == "T"
        wait_until(stopped, "QEMU to stand still")

    def go_on(self):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass

    def execute(self, command, domain=None, **values):
        return (domain or self.hung).send("Monitor", "Execute", "(ssa{sv})", command, "",
                                          harness.options(**values))

    def connect(self, domain=None):
        """The domain as another client sees it."""
        domain = domain or self.hung
        connection = harness.Connection()
        self.addCleanup(lambda: connection.bus.is_closed() or connection.close())
        return harness.Domain(connection, domain.path, domain.name)

    def flood(self, count=CALLS, domain=None):
        domain = domain or self.hung
        pending = [self.execute("query-status", domain) for _ in range(count)]
        # The service has them all when it answers what came behind them.
        domain.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        return pending

    def fill(self):
        """As many calls as the domain takes, by as many clients as that needs."""
        pending = []
        while len(pending) < PENDING_MAX:
            pending += self.flood(min(CALLER_MAX, PENDING_MAX - len(pending)), self.connect())
        return pending

    def seconds(self, function):
        began = time.monotonic()
        function()
        return time.monotonic() - began

    def medians(self):
        """Of what somebody does who has nothing to do with the domain that hangs."""
        def event():
            since = len(self.recorder.signals)
            pending = self.other.send("Domain", "Suspend")
            self.recorder.wait("Domain.Lifecycle", "suspended", path=self.other.path, since=since)
            pending.result()
            self.other.call("Domain", "Resume")
        things = {
            "call to QEMU": lambda: self.other.qmp("query-status"),
            "event": event,
            "Get": lambda: self.other.get("Domain", "State"),
            "Get of the hung one": lambda: self.hung.get("Domain", "State"),
            "GetManagedObjects": self.connection.managed_objects,
        }
        return {name: statistics.median(self.seconds(thing) for _ in range(ROUNDS))
                for name, thing in things.items()}

    def test_others_do_not_notice(self):
        before = self.medians()
        self.stop()
        pending = self.flood()
        during = self.medians()
        self.assertFalse(any(p.finished for p in pending))
        for name, value in during.items():
            note(f"{name}: {before[name] * 1000:.2f} ms before, {value * 1000:.2f} ms beside a hung "
                 f"QEMU with {CALLS} calls (x{value / before[name]:.2f})")
            self.assertLess(value, max(before[name] * FACTOR, QUICK), name)
        self.go_on()
        for p in pending:
            p.result()

    def test_life_of_others(self):
        """Domains come and go meanwhile."""
        self.stop()
        pending = self.flood()
        for _ in range(5):
            domain = self.define("passing", arguments=["-device", "qemu-xhci,id=usb"])
            domain.start()
            domain.attach({"driver": "usb-tablet"})
            domain.destroy()
            domain.undefine()
        self.assertFalse(any(p.finished for p in pending))
        self.assertEqual(("running", True), (self.hung.state, self.hung.get("Monitor", "Connected")))

    def test_goes_on(self):
        """All is answered in the order in which it was asked, with the events in between."""
        self.stop()
        since = self.mark()
        commands = ["stop", "query-status", "cont"] * (CALLS // 3)
        pending = [self.execute(command) for command in commands]
        self.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        self.assertEqual([], self.stamped(since))
        self.go_on()

        def all_in_order():
            # At every moment the answered ones are the first ones.
            finished = [p.finished for p in pending]
            self.assertEqual(sorted(finished, reverse=True), finished)
            return all(finished)
        wait_until(all_in_order, "all answers")
        for p, command in zip(pending, commands):
            text = p.result()
            if command == "query-status":
                self.assertIn('"paused"', text)
        events = self.events(self.hung, since)
        self.assertEqual([("suspended", "paused"), ("resumed", "unpaused")] * (CALLS // 3), events)
        self.assertEqual("running", self.hung.state)

    def test_destroy(self):
        """TERM does not reach it; KILL does, and it is the end of all that waited."""
        self.stop()
        pending = self.flood()
        took = self.seconds(lambda: self.hung.destroy(grace=GRACE))
        self.assertGreaterEqual(took, GRACE / 1e6)
        stopped = self.recorder.wait("Domain.Lifecycle", "stopped", "destroyed", path=self.hung.path)
        self.assertEqual("KILL", stopped.details["signal"])
        for p in pending:
            self.assert_fails("MonitorLost", p.result)
        self.assertNotIn(self.hung.path, self.connection.managed_objects())

    def test_killed(self):
        self.stop()
        pending = self.flood()
        os.kill(self.pid, signal.SIGKILL)
        self.recorder.wait("Domain.Lifecycle", "stopped", "failed", path=self.hung.path)
        for p in pending:
            self.assert_fails("MonitorLost", p.result)

    def test_limit(self):
        """Above the bound a call is refused at once; but the domain can still be ended."""
        self.stop()
        pending = self.fill()
        self.assertFalse(any(p.finished for p in pending))
        message = self.assert_fails("LimitExceeded", self.hung.qmp, "query-status")
        self.assertIn("'hung'", message)
        self.assertIn(str(PENDING_MAX), message)
        self.assert_fails("LimitExceeded", self.hung.call, "Domain", "Suspend")
        self.assert_fails("LimitExceeded", self.hung.attach, {"driver": "virtio-rng-pci"})
        # Of the others each has its own bound.
        self.other.qmp("query-status")
        self.hung.destroy(grace=GRACE)
        for p in pending:
            self.assert_fails("MonitorLost", p.result)

    def test_limit_of_destroying(self):
        """What is let through above the bound has a bound as well."""
        self.stop()
        pending = self.fill()
        more = [self.hung.send("Domain", "Destroy", "(a{sv})", harness.options(grace=60000000))
                for _ in range(CALLER_MAX)]
        self.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        refused = [p for p in more if p.finished]
        self.assertEqual(PENDING_RESERVE, len(more) - len(refused))
        for p in refused:
            self.assert_fails("LimitExceeded", p.result)
        os.kill(self.pid, signal.SIGKILL)
        for p in more:
            if p not in refused:
                p.result()
        for p in pending:
            self.assert_fails("MonitorLost", p.result)

    def test_timeout(self):
        """A reply that comes too late is no harm."""
        self.stop()
        late = [self.execute("query-status", timeout=1000) for _ in range(20)]
        for p in late:
            message = self.assert_fails("MonitorTimeout", p.result)
            self.assertIn("query-status", message)
        patient = self.execute("query-version")
        self.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        self.assertFalse(patient.finished)
        self.go_on()
        self.assertIn('"qemu"', patient.result())
        for _ in range(20):
            self.assertEqual("running", self.hung.qmp("query-status")["status"])
        self.hung.call("Domain", "Suspend")
        self.assertEqual("paused", self.hung.state)

    def test_timeout_of_each(self):
        """Whatever is asked of a QEMU that does not answer. When it goes on, what a transaction had begun is
        taken back, and all names are free."""
        held = self.create("held", arguments=[
            "-device", "qemu-xhci,id=usb", "-device", "usb-tablet,id=pen",
            "-device", "ide-cd,id=cd0"])
        self.pid = held.get("Domain", "PID")
        self.stop()
        stick = '{"driver": "usb-storage", "drive": "node0", "id": "stick"}'
        node = '{"driver": "null-co", "node-name": "node0"}'
        soon = harness.options(timeout=200000)
        pending = [
            held.send("Devices", "AttachDevice", "(sa{sv})", stick,
                      harness.options(blockdev=node, timeout=200000)),
            held.send("Devices", "ChangeMedia", "(ssa{sv})", "cd0",
                      '{"driver": "null-co", "node-name": "node1"}', soon),
            held.send("Devices", "DetachDevice", "(sa{sv})", "pen", soon),
            held.send("Monitor", "Execute", "(ssa{sv})", "query-status", "", soon)]
        for p in pending:
            message = self.assert_fails("MonitorTimeout", p.result)
            self.assertIn("200 ms", message)
        since = self.mark()
        self.go_on()
        self.recorder.wait("Devices.DeviceRemoved", "pen", path=held.path, since=since)
        self.assertEqual("stick", held.call("Devices", "AttachDevice", "(sa{sv})", stick,
                                            harness.options(blockdev=node)))
        held.call("Devices", "ChangeMedia", "(ssa{sv})", "cd0",
                  '{"driver": "null-co", "node-name": "node1"}', {})
        self.mark()
        self.assertEqual(1, len(self.recorder.find("Devices.DeviceAdded", path=held.path,
                                                   since=since)))

    def test_timeout_by_default(self):
        """Those that have no such option end after half a minute, all of them, in whatever mix."""
        self.stop()
        began = time.monotonic()
        sends = [lambda: self.execute("query-status"),
                 lambda: self.hung.send("Domain", "Suspend"),
                 lambda: self.hung.send("Domain", "Reset"),
                 lambda: self.hung.send("Domain", "InjectNMI"),
                 lambda: self.hung.send("Domain", "Shutdown", "(a{sv})", {}),
                 lambda: self.hung.send("Guest", "SetBalloon", "(t)", 1 << 20),
                 lambda: self.hung.send("Block", "SetWriteThreshold", "(st)", "node", 1)]
        pending = [sends[i % len(sends)]() for i in range(CALLS)]
        for p in pending:
            self.assert_fails("MonitorTimeout", p.result)
            self.assertGreaterEqual(time.monotonic() - began, DEFAULT_TIMEOUT)

    def test_timeout_of_zero(self):
        self.stop()
        self.assert_fails("MonitorTimeout", self.execute("query-status", timeout=0).result)

    def test_limit_of_caller(self):
        """Who asks too much is told so, whatever he asks, and nobody else has anything of it."""
        self.stop()
        greedy = self.connect()
        greedy_other = harness.Domain(greedy.connection, self.other.path, self.other.name)
        pending = self.flood(CALLER_MAX, greedy)
        for call in (lambda: greedy.qmp("query-status"), lambda: greedy_other.qmp("query-status"),
                     lambda: greedy_other.call("Domain", "Suspend"),
                     lambda: greedy.connection.call(PATH, f"{NAME}.Manager", "Reload"),
                     lambda: greedy.connection.call(PATH, f"{NAME}.Manager", "DefineDomain",
                                                    "(sa{sv})", '{"name": "more"}', {})):
            message = self.assert_fails("LimitExceeded", call)
            self.assertIn(str(CALLER_MAX), message)
            self.assertIn("wait", message)
        # He can look, and he can end what hangs.
        self.assertEqual("running", greedy.state)
        self.assertIn(greedy.path, greedy.connection.managed_objects())
        ending = [greedy.send("Domain", "Destroy", "(a{sv})", harness.options(grace=60000000))
                  for _ in range(2 * CALLER_RESERVE)]
        greedy.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        refused = [p for p in ending if p.finished]
        self.assertEqual(CALLER_RESERVE, len(refused))
        for p in refused:
            self.assert_fails("LimitExceeded", p.result)
        # Others have the domain as well, and all the rest.
        mine = self.flood(10)
        self.other.call("Domain", "Suspend")
        self.other.call("Domain", "Resume")
        self.define("more").undefine()
        self.assertFalse(any(p.finished for p in pending + mine))
        os.kill(self.pid, signal.SIGKILL)
        for p in pending + mine:
            self.assert_fails("MonitorLost", p.result)
        # What has been answered counts no more.
        self.assertEqual("running", greedy_other.qmp("query-status")["status"])

    def test_caller_leaves(self):
        """His calls are dropped: QEMU does not hear of those that it has not been sent, and they count for
        no bound."""
        self.stop()
        since = self.mark()
        for _ in range(4):
            caller = self.connect()
            for _ in range(CALLER_MAX // 2):
                self.execute("stop", caller)
                self.execute("cont", caller)
            caller.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
            self.leave(caller)
        # All that are left are those that QEMU has.
        pending = self.flood(CALLER_MAX) + self.flood(PENDING_MAX - CALLER_MAX - IN_FLIGHT_MAX,
                                                      self.connect())
        self.assertFalse(any(p.finished for p in pending))
        self.go_on()
        for p in pending:
            self.assertIn('"running"', p.result())
        self.assertEqual([("suspended", "paused"), ("resumed", "unpaused")] * (IN_FLIGHT_MAX // 2),
                         self.events(self.hung, since))
        self.assert_served()

    def leave(self, domain):
        """Closes a client's connection, which the service has been told when this returns."""
        name = domain.connection.bus.get_unique_name()
        domain.connection.close()
        wait_until(lambda: not self.connection.call_bus("NameHasOwner", "(s)", name), "the bus to notice")
        self.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")

    def is_under_way(self, domain):
        uuid = domain.get("Domain", "UUID")
        with open(os.path.join(service_folder(RUNS), uuid, "run.json"), encoding="utf-8") as file:
            return "under-way" in json.load(file)

    def test_caller_leaves_in_the_middle(self):
        """What has begun for him is brought to its end."""
        held = self.create("held", arguments=["-device", "qemu-xhci,id=usb"])
        pid = held.get("Domain", "PID")
        caller = self.connect(held)
        connection = caller.connection
        left = self.define("left")
        harness.Domain(connection, left.path, "left").send("Domain", "Start", "(a{sv})", {})
        os.kill(pid, signal.SIGSTOP)
        caller.send("Devices", "AttachDevice", "(sa{sv})",
                    '{"driver": "usb-storage", "drive": "node0", "id": "stick"}',
                    harness.options(blockdev='{"driver": "null-co", "node-name": "node0"}'))
        # It begins when the note of it has been written; what has not begun by then is not begun.
        wait_until(lambda: self.is_under_way(held), "the note of what is under way")
        for _ in range(2):
            connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")
        self.leave(caller)
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: not self.is_under_way(held), "the end of what is under way")
        self.mark()
        is_in = bool(self.recorder.find("Devices.DeviceAdded", "stick", path=held.path))
        nodes = [node["node-name"] for node in held.qmp("query-named-block-nodes")]
        self.assertEqual((is_in, is_in), ("stick" in held.get("Devices", "Devices"), "node0" in nodes))
        note("what was under way " + ("has been brought to its end" if is_in else "had not begun"))
        self.recorder.wait("Domain.Lifecycle", "started", path=left.path)
        self.assertEqual("running", left.state)

    def test_service_starts_beside_it(self):
        """It does not keep a new service from serving the others, and is taken in when it goes on."""
        self.stop()
        self.connection.kill_service()
        self.assertEqual("running", self.other.state)
        self.assertEqual("unknown", self.hung.state)
        self.assertEqual(self.pid, self.hung.get("Domain", "PID"))
        self.assert_fails("WrongState", self.hung.qmp, "query-status")
        since = self.mark()
        self.go_on()
        self.recorder.wait("Monitor.Resynchronized", path=self.hung.path, since=since)
        self.assertEqual("running", self.hung.state)
        self.assertEqual("running", self.hung.qmp("query-status")["status"])


if __name__ == "__main__":
    harness.main()
