# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service that has nothing to do leaves the bus, and nobody notices: a call that arrives while it
leaves is answered, and the sequence goes on."""
import os
import time

import harness
import life
from harness import GLib, NAME, PATH, wait_until

IDLE_SECONDS = 1.0
ROUNDS = int(os.environ.get("VMHERALD_TEST_IDLE_ROUNDS", "60"))
# sd-event lets a timer fire up to so much later, so that wake-ups of the whole system coincide:
# at the same phase of each such span.
TIMER_SPAN = 0.25
# Around the moment of leaving, in steps over the rounds.
AIM_FROM, AIM_TO = -0.005, 0.001


def sleep_until(moment):
    """The only place where time itself is what is waited for: the calls must come at a moment that
    nothing announces."""
    loop = GLib.MainLoop()
    GLib.timeout_add(max(0, int((moment - time.monotonic() - 0.002) * 1000)), loop.quit)
    loop.run()
    while time.monotonic() < moment:
        pass


class Owners:
    """The owners of the service's name, one after the other; "" for none. Times beside."""

    def __init__(self, connection):
        self.seen = []
        self.times = []
        connection.bus.signal_subscribe(
            "org.freedesktop.DBus", "org.freedesktop.DBus", "NameOwnerChanged",
            "/org/freedesktop/DBus", NAME, harness.Gio.DBusSignalFlags.NONE, self._changed)
        connection.call_bus("GetId")

    def _changed(self, _bus, _sender, _path, _interface, _member, parameters):
        self.times.append(time.monotonic())
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


class Burst(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.owners = Owners(self.recorder.connection)
        self.clients = [harness.Connection() for _ in range(3)]
        for client in self.clients:
            self.addCleanup(client.close)

    def learn_phase(self):
        """When within a span the timer fires; the same for all processes of this boot."""
        self.mark()
        count = len(self.owners.seen)
        wait_until(lambda: len(self.owners.seen) > count, "the service to leave")
        self.assertEqual("", self.owners.seen[-1])
        return self.owners.times[-1] % TIMER_SPAN

    def test_calls_while_leaving(self):
        phase = self.learn_phase()
        self.manager("ListDomains", "(a{sv})", {})
        cross = 0
        for number in range(ROUNDS):
            # The first moment with that phase that is late enough.
            due = time.monotonic() + IDLE_SECONDS
            due += (phase - due) % TIMER_SPAN
            left = self.owners.seen.count("")
            sleep_until(due + AIM_FROM + (AIM_TO - AIM_FROM) * (number % 30) / 30)
            calls = []
            for client in self.clients:
                calls.append(client.send(PATH, "org.freedesktop.DBus.Peer", "Ping"))
                calls.append(client.send(PATH, f"{NAME}.Manager", "ListDomains", "(a{sv})", {}))
                client.bus.flush_sync(None)
            for call in calls:
                call.result()
            cross += self.owners.seen.count("") > left
        # The same service twice, with nobody in between: it was on its way out and came back.
        back = sum(now != "" and now == before for before, now in
                   zip(self.owners.seen, self.owners.seen[2:]))
        harness.note(f"{ROUNDS} rounds of {len(calls)} calls at the moment of leaving: all "
                     f"answered; the service had let go of its name in {cross} of them, and came "
                     f"back in {back}")
        # Else the aim was bad and nothing was tested.
        self.assertGreater(cross, 0)
        self.assertLess(cross, ROUNDS)


if __name__ == "__main__":
    harness.main(f"--idle-timeout={IDLE_SECONDS:.0f}")
