# SPDX-License-Identifier: LGPL-2.1-or-later
"""A service that is told to end, and takes its guests with it (--on-exit=shutdown)."""
import os
import signal
import socket
import subprocess

import harness
import life
from harness import NAME, OBJECT_MANAGER, wait_until
from processes import end_process, qemus_of, wait_for_end
from strangers import AdoptCase

SECONDS = 6


class OnExit(AdoptCase):
    def setUp(self):
        super().setUp()
        self.pid = self.connection.service_pid()

    def terminate(self):
        os.kill(self.pid, signal.SIGTERM)

    def wait_for_leave(self):
        """Until the service has ended by itself."""
        self.assertTrue(wait_for_end(self.pid, harness.DEADLINE))
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
        self.recorder.connection.call_bus("GetId")

    def stopped(self, domain, since):
        """Reason, and the details of who wanted it, of the one stopped there is."""
        [signal_] = self.recorder.find("Domain.Lifecycle", "stopped", path=domain.path, since=since)
        return (signal_.arguments[1], signal_.details.get("policy"), signal_.details.get("action"))

    def asked(self, domain, since):
        return self.recorder.wait("Domain.PowerdownRequested", path=domain.path, since=since)

    def test_each_as_it_can(self):
        """All at once: who obeys has shut down, who stands still is ended, who does not hear is ended
        when the time is up."""
        obedient, deaf = self.define("obedient"), self.define("deaf", on_crash="restart")
        held = self.define("held", machine="none")
        passing = self.create("passing", machine="none")
        off = self.define("off", machine="none")
        for domain in (obedient, deaf, held):
            domain.start(paused=domain is held)
        passing.call("Domain", "Suspend")
        life.wait_for_firmware(obedient)
        since = self.mark()
        self.terminate()
        # At the same time, and while calls are served.
        self.asked(obedient, since)
        self.asked(deaf, since)
        for domain in (held, passing):
            self.wait_life(domain, "stopped", since=since)
            self.assertEqual(("destroyed", "on-exit", "destroy"), self.stopped(domain, since))
        self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", passing.path, since=since)
        for begin in (off.start, held.start, lambda: self.create("late", machine="none")):
            self.assertIn("The service is leaving", self.assert_fails("WrongState", begin))
        life.power_off(obedient)
        self.wait_life(obedient, "stopped", since=since)
        self.assertEqual(("shutdown", "on-exit", "shutdown"), self.stopped(obedient, since))
        self.assertEqual("running", deaf.state)
        self.wait_for_leave()
        self.assertEqual(("destroyed", "on-exit", "destroy"), self.stopped(deaf, since))
        self.assertEqual([], qemus_of(harness.folder()))
        # The next one finds nothing to wonder about.
        self.assertEqual({"shut-off"}, {domain.state for domain in (obedient, deaf, held, off)})
        self.assertEqual([], os.listdir(life.runtime_folder()))
        life.check_stamps(self, self.recorder.events())

    def test_crash_meanwhile(self):
        """Nobody starts it again, whatever its policy."""
        domain = self.define("fragile", on_crash="restart")
        domain.start()
        since = self.mark()
        self.terminate()
        self.asked(domain, since)
        end_process(domain.get("Domain", "PID"))
        self.wait_for_leave()
        self.assertEqual("failed", self.stopped(domain, since)[0])
        self.assertEqual([], qemus_of(harness.folder()))
        self.assertEqual("shut-off", domain.state)

    def test_again(self):
        """Told twice, the service ends at once and leaves them."""
        domain = self.define("deaf")
        domain.start()
        pid = domain.get("Domain", "PID")
        since = self.mark()
        pending = domain.send("Domain", "Shutdown", "(a{sv})", {})
        self.terminate()
        self.asked(domain, since)
        self.terminate()
        # Who waits is told.
        self.assert_fails("MonitorLost", pending.result)
        self.wait_for_leave()
        self.assertTrue(life.lives(pid))
        self.assertEqual("running", domain.state)
        self.assertEqual(pid, domain.get("Domain", "PID"))
        self.assertEqual([], self.recorder.find("Domain.Lifecycle", "stopped", since=since))

    def test_adopted(self):
        """What somebody else has started is left to him; nobody waits for it."""
        stranger = self.stranger("foreign")
        foreign, own = self.adopt(stranger, "foreign"), self.define("own", machine="none")
        own.start(paused=True)
        since = self.mark()
        self.terminate()
        self.wait_life(own, "stopped", since=since)
        self.wait_for_leave()
        self.assertTrue(stranger.lives())
        self.assertEqual([], self.recorder.find("Domain.Lifecycle", "stopped", path=foreign.path,
                                                since=since))
        self.assertEqual("running", foreign.state)
        foreign.call("Domain", "Undefine", "(a{sv})", {})

    def test_asks_for_time(self):
        """The service manager waits as long as it was told to, and for QEMU's own end."""
        self.terminate()
        self.wait_for_leave()
        place = os.path.join(harness.folder(), "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
            notified.bind(place)
            notified.settimeout(harness.DEADLINE)
            with subprocess.Popen([os.path.join(harness.folder(), "activated"), "--session",
                                   "--on-exit=shutdown", "--shutdown-timeout=1000"],
                                  env=dict(os.environ, NOTIFY_SOCKET=place),
                                  stdin=subprocess.DEVNULL) as process:
                wait_until(self.connection.service_runs, "the service to be on the bus")
                process.send_signal(signal.SIGTERM)
                lines = []
                while "STOPPING=1" not in lines:
                    lines = notified.recv(4096).decode().splitlines()
                self.assertIn("EXTEND_TIMEOUT_USEC=1020000000", lines)
                self.assertEqual(0, process.wait(harness.DEADLINE))
        os.unlink(place)
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")

    def test_bad_options(self):
        for option in ("--on-exit=save", "--shutdown-timeout=-1", "--shutdown-timeout=86401"):
            done = subprocess.run([os.path.join(harness.folder(), "activated"), "--session", option],
                                  stdin=subprocess.DEVNULL, check=False, timeout=harness.DEADLINE)
            self.assertEqual(2, done.returncode)

    def test_nothing_runs(self):
        self.define("off", machine="none")
        self.terminate()
        self.wait_for_leave()

    def test_saved_meanwhile(self):
        """What is being saved is saved."""
        domain = self.define("precious")
        domain.start()
        since = self.mark()
        saving = domain.send("Domain", "Save", "(a{sv})", {})
        # The call has been taken when this one is answered.
        self.connection.call(harness.PATH, f"{NAME}.Manager", "ListDomains", "(a{sv})", {})
        self.terminate()
        saving.result()
        self.wait_for_leave()
        self.assertEqual("saved", self.stopped(domain, since)[0])
        self.assertTrue(domain.get("Domain", "HasSavedState"))
        domain.call("Domain", "DropSavedState")


if __name__ == "__main__":
    harness.main("--on-exit=shutdown", f"--shutdown-timeout={SECONDS}")
