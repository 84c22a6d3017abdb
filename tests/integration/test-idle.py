# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service that has nothing to do leaves the bus, and nobody notices: a call that arrives while it
leaves is answered, and the sequence goes on."""
import contextlib
import os
import signal
import time

import harness
import life
from harness import GLib, NAME, PATH, wait_until
from processes import wake_ups

IDLE_SECONDS = 1.0
ROUNDS = 3


def sleep_until(moment):
    """The only place where time itself is what is waited for: that nothing happens."""
    loop = GLib.MainLoop()
    GLib.timeout_add(max(0, int((moment - time.monotonic()) * 1000)), loop.quit)
    loop.run()


class Owners:
    """The owners of the service's name, one after the other; "" for none."""

    def __init__(self, connection):
        self.seen = []
        connection.bus.signal_subscribe(
            "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged",
            "/org/freedesktop/DBus", NAME, harness.Gio.DBusSignalFlags.NONE, self._changed)
        connection.call_bus("GetId")

    def _changed(self, _bus, _sender, _path, _interface, _member, parameters):
        self.seen.append(parameters.unpack()[2])


class Idle(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.owners = Owners(self.recorder.connection)

    def call(self):
        self.manager("ListDomains", "(a{sv})", {})

    def wait_for_leave(self):
        """Returns how many seconds after now."""
        begin = time.monotonic()
        pid = self.connection.service_pid()
        wait_until(lambda: not self.connection.service_runs() and not life.lives(pid),
                   "the service to leave")
        return time.monotonic() - begin

    def test_leaves(self):
        self.call()
        self.assertGreater(self.wait_for_leave(), IDLE_SECONDS / 2)
        self.call()
        self.assertTrue(self.connection.service_runs())

    def test_leaves_with_a_definition(self):
        domain = self.define("resting", machine="none")
        self.wait_for_leave()
        self.assertEqual("shut-off", domain.state)

    def test_leaves_after_a_run(self):
        domain = self.define("resting", machine="none")
        domain.start()
        domain.destroy()
        self.wait_for_leave()
        self.assertEqual("shut-off", domain.state)

    def test_sleeps_beside_a_domain(self):
        """It has nothing to look at by itself, not even whether it has nothing to do; and it leaves when the domain
        has gone."""
        domain = self.define("quiet", machine="none")
        domain.start()
        qemu = domain.get("Domain", "PID")
        pid = self.connection.service_pid()

        def sleeps():
            before = wake_ups(pid)
            sleep_until(time.monotonic() + 3 * IDLE_SECONDS)
            return wake_ups(pid) == before
        wait_until(sleeps, "the service to fall asleep")
        harness.end_process(qemu)
        self.wait_for_leave()

    def test_stays_with_a_domain(self):
        """Also with one that stands still, and with one that was found again."""
        domain = self.define("busy", machine="none")
        domain.start(paused=True)
        self.connection.kill_service()
        self.mark()
        count = len(self.owners.seen)
        sleep_until(time.monotonic() + 3 * IDLE_SECONDS)
        self.assertEqual(count, len(self.owners.seen))
        self.assertTrue(self.connection.service_runs())
        domain.destroy()
        self.wait_for_leave()

    def test_stays_with_a_call(self):
        """A call that takes longer than that is not cut off."""
        domain = self.define("slow")
        domain.start()
        call = domain.send("Domain", "Shutdown", "(a{sv})",
                           harness.options(timeout=int(2.5 * IDLE_SECONDS * 1e6)))
        call.result()
        self.assertEqual("shut-off", domain.state)

    def test_sequence_goes_on(self):
        domain = self.define("counted", machine="none")
        runs = []
        for _ in range(3):
            first = len(self.recorder.events())
            domain.start()
            domain.destroy()
            self.wait_for_leave()
            runs.append(self.recorder.events()[first:])
        numbers = [s.sequence for s in self.recorder.events()]
        self.assertEqual(list(range(numbers[0], numbers[0] + len(numbers))), numbers)


def read_timers(pid):
    """(seconds left, 0 if it is not armed; has run out unread) of each timer of the process."""
    timers = []
    for number in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{number}", encoding="utf-8") as file:
                fields = dict(line.split(":", 1) for line in file.read().splitlines() if ":" in line)
        except FileNotFoundError:
            continue
        if "it_value" in fields:
            timers.append((int(fields["it_value"].strip(" (").partition(",")[0]),
                           int(fields["ticks"]) > 0))
    return timers


def has_run_out(pid):
    """The idle timer of a service that stands still."""
    return any(unread for _, unread in read_timers(pid))


def has_let_go(pid):
    """The idle timer has run out and was dealt with: what is waited for now is the bus, for longer."""
    timers = read_timers(pid)
    return (any(seconds > 2 * IDLE_SECONDS for seconds, _ in timers) and
            not any(unread for _, unread in timers))


class Burst(life.LifeCase):
    """Calls that come while the service leaves. Whoever has to be last is stopped meanwhile, so the order
    is no matter of chance."""

    def setUp(self):
        super().setUp()
        self.owners = Owners(self.recorder.connection)
        self.clients = [harness.Connection() for _ in range(3)]
        for client in self.clients:
            self.addCleanup(client.close)
        self.bus_pid = self.connection.call_bus("GetConnectionUnixProcessID", "(s)",
                                                "org.freedesktop.DBus")

    @contextlib.contextmanager
    def stopped(self, pid):
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def send(self):
        calls = []
        for client in self.clients:
            calls.append(client.send(PATH, "org.freedesktop.DBus.Peer", "Ping"))
            calls.append(client.send(PATH, f"{NAME}.Manager", "ListDomains", "(a{sv})", {}))
            client.bus.flush_sync(None)
        return calls

    def rounds(self, leave):
        """leave() gets the pid of a service whose timer has just been set, and returns the calls. All of
        them are answered; returns the owners of the name in each round, one after the other."""
        seen = []
        for _ in range(ROUNDS):
            self.manager("ListDomains", "(a{sv})", {})
            pid = self.connection.service_pid()
            self.mark()
            before = len(self.owners.seen)
            for call in leave(pid):
                call.result()
            self.mark()
            seen.append(self.owners.seen[before - 1:])
        return seen

    def test_calls_when_it_has_left(self):
        """The bus has let go of the name before it reads them: a new service answers."""
        def leave(pid):
            with self.stopped(self.bus_pid):
                wait_until(lambda: has_let_go(pid), "the service to let go of its name")
                return self.send()
        seen = self.rounds(leave)
        others = [owners for owners in seen if len(set(owners)) == 3]
        self.assertTrue(others, seen)

    def test_calls_while_it_leaves(self):
        """The bus reads them before the service's own message: the service takes its name back."""
        def leave(pid):
            with self.stopped(self.bus_pid):
                calls = self.send()
                wait_until(lambda: has_let_go(pid), "the service to let go of its name")
            return calls
        seen = self.rounds(leave)
        back = [owners for owners in seen if len(owners) == 3 and owners[0] == owners[2]]
        self.assertTrue(back, seen)

    def test_calls_when_it_is_about_to(self):
        """They are there when the timer has run out, and the service sees both at once."""
        def leave(pid):
            with self.stopped(pid):
                calls = self.send()
                # They are in its socket when the bus answers what came behind them.
                for client in self.clients:
                    client.call_bus("GetId")
                wait_until(lambda: has_run_out(pid), "the timer to run out")
            return calls
        self.rounds(leave)


if __name__ == "__main__":
    harness.main(f"--idle-timeout={IDLE_SECONDS:.0f}")
