# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that somebody else has started is adopted: from then on it is a domain like any other, until
it ends or is let go of, which it does not notice."""
import json
import os
import signal
import socket
import subprocess

from gi.repository import Gio, GLib

import harness
import life
import qtest
from harness import DEADLINE, NAME, OBJECT_MANAGER, PATH, Domain, folder, options, wait_until
from strangers import AdoptCase, is_listening

UUID = "6f0d5c1e-93f4-4f0a-8a52-6f5a2c9d0b11"
SHORT = GLib.Variant("t", 500000)
STARTED = [("starting", "adopted", "starting"), ("started", "adopted", "running")]


class Adopted(AdoptCase):
    def test_all_that_is_known(self):
        stranger = self.stranger(
            "known", "-name", "by-hand", "-uuid", UUID, "-smp", "2", "-m", "64M",
            "-netdev", "user,id=host0", "-device", "virtio-net-pci,id=net0,netdev=host0",
            "-device", "virtio-rng-pci,id=rng0", machine="q35")
        domain = self.adopt(stranger)
        self.assertEqual(f"{PATH}/domain/_{UUID.replace('-', '_')}", domain.path)
        self.mark()
        self.assertEqual(STARTED, self.lifecycle(domain))
        properties = self.connection.get_all(domain.path, f"{NAME}.Domain")
        emulator = os.path.realpath(GLib.find_program_in_path("qemu-system-x86_64"))
        for name, value in {"Name": "by-hand", "UUID": UUID, "State": "running", "Adopted": True,
                            "StateReason": "adopted", "Persistent": False, "Autostart": False,
                            "HasSavedState": False, "Incarnation": 1, "PID": stranger.pid,
                            "CPUs": 2, "Memory": 64 << 20, "Emulator": emulator}.items():
            self.assertEqual(value, properties[name], name)
        self.assertRegex(properties["Machine"], r"^pc-q35-\d")
        self.assertLess(abs(properties["StartedAt"] / 1e6 -
                            os.stat(f"/proc/{stranger.pid}").st_ctime), DEADLINE)
        self.assertTrue(domain.get("Monitor", "Connected"))
        self.assertRegex(domain.get("Monitor", "QemuVersion"), r"^\d+\.\d+\.\d+$")
        devices = domain.get("Devices", "Devices")
        self.assertEqual({"net0": "virtio-net-pci", "rng0": "virtio-rng-pci"},
                         {key: device["driver"] for key, device in devices.items()})
        wait_until(lambda: "net0" in domain.get("Network", "Filters"), "the filter of the NIC")
        # Told when it was there already, with all its interfaces.
        added = self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesAdded", domain.path)
        self.assertTrue(added.arguments[1][f"{NAME}.Domain"]["Adopted"])

    def test_nothing_known(self):
        """Without a name, a uuid, CPUs: -machine none."""
        stranger = self.stranger("bare")
        domain = self.adopt(stranger)
        uuid = domain.get("Domain", "UUID")
        self.assertEqual(f"qemu-{uuid[:8]}", domain.name)
        self.assertEqual((0, 0, "none"), tuple(domain.get("Domain", name) for name in
                                               ("CPUs", "Memory", "Machine")))

    def test_signals_and_methods(self):
        stranger = self.stranger("lively", "-device", "usb-ehci,id=usb0", machine="q35")
        domain = self.adopt(stranger, "lively")
        since = self.mark()
        domain.call("Domain", "Suspend")
        domain.call("Domain", "Resume")
        domain.call("Domain", "Reset")
        # What others do is told, too.
        monitor = life.SecondMonitor("lively")
        monitor.execute("stop")
        monitor.execute("cont")
        self.assertEqual({"status": "running"}, {key: value for key, value in domain.qmp(
            "query-status").items() if key == "status"})
        self.recorder.wait("Domain.Reset", "host", path=domain.path, since=since)
        wait_until(lambda: len(self.lifecycle(domain, since)) == 4, "what the other one did")
        self.assertEqual([("suspended", "paused", "paused"), ("resumed", "unpaused", "running")] * 2,
                         self.lifecycle(domain, since))
        # Devices come and go, with what they stand on. QEMU 7.2 never lets go of one that the firmware was just
        # looking at, as it does after a reset; so it does not run meanwhile.
        domain.call("Domain", "Suspend")
        domain.attach({"driver": "usb-storage", "id": "stick", "drive": "disk0", "bus": "usb0.0"},
                      blockdev=json.dumps({"driver": "null-co", "node-name": "disk0"}))
        domain.detach("stick")
        self.recorder.wait("Devices.DeviceRemoved", "stick", path=domain.path, since=since)
        self.assertEqual([], [node["node-name"] for node in domain.qmp("query-named-block-nodes")])
        monitor.close()
        domain.destroy()
        self.wait_life(domain, "stopped", "destroyed", since=since)
        self.assertEqual(0, stranger.process.wait(DEADLINE))

    def test_nic(self):
        """What a guest does to its NIC, without firmware that would do so as well."""
        stranger = self.stranger(
            "carded", "-S", "-netdev", "user,id=host0", "-device",
            "virtio-net-pci,id=net0,netdev=host0,mac=52:54:00:00:00:01", machine="q35")
        domain = self.adopt(stranger, "carded")
        wait_until(lambda: "net0" in domain.get("Network", "Filters"), "the filter of the NIC")
        with domain.qtest() as test:
            qtest.NetworkCard(test).set_mac("52:54:00:00:00:99")
        changed = self.recorder.wait("Network.MacChanged", "net0", path=domain.path)
        self.assertEqual(("net0", "52:54:00:00:00:01", "52:54:00:00:00:99"), changed.arguments[:3])
        self.assertEqual("52:54:00:00:00:99",
                         domain.get("Network", "Filters")["net0"]["main-mac"])
        # Of the host's side nothing is known.
        found = domain.call("Network", "GetInterfaces", "(a{sv})", {})
        self.assertEqual({"net0": {"guest", "differences"}}, {name: set(nic) for name, nic in found.items()})
        self.assertEqual("52:54:00:00:00:99", found["net0"]["guest"]["main-mac"])

    def test_paused(self):
        stranger = self.stranger("held", "-S")
        domain = self.adopt(stranger, "held")
        self.mark()
        self.assertEqual([STARTED[0], ("started", "adopted", "paused"),
                          ("suspended", "paused", "paused")], self.lifecycle(domain))
        domain.call("Domain", "Resume")
        self.assertEqual("running", domain.state)

    def test_stays_when_guest_is_down(self):
        """As its command line wants it; and a reboot leaves that as it was."""
        stranger = self.stranger("stays", "-no-shutdown", machine="q35")
        domain = self.adopt(stranger, "stays")
        life.wait_for_firmware(domain)
        since = self.mark()
        life.power_off(domain)
        self.wait_life(domain, "suspended", "guest-shutdown", since=since)
        self.assertTrue(stranger.lives())
        domain.call("Domain", "Reset")
        domain.call("Domain", "Resume")
        self.assertEqual("running", domain.state)

    def test_not_possible(self):
        stranger = self.stranger("limits")
        domain = self.adopt(stranger, "limits")
        text = self.assert_fails("NotSupported", domain.save)
        self.assertIn("limits", text)
        self.assert_fails("NotSupported", domain.call, "Domain", "SetAutostart", "(b)", True)
        self.assert_fails("NotSupported", domain.call, "Domain", "GetDefinition", "(a{sv})", {})
        self.assert_fails("WrongState", domain.start)
        document = harness.definition("other", uuid=domain.get("Domain", "UUID"))
        self.assert_fails("NotSupported", self.manager, "DefineDomain", "(sa{sv})",
                          json.dumps(document), {})
        self.assertEqual("running", domain.state)


class Ends(AdoptCase):
    def check_end(self, end, *told):
        stranger = self.stranger("brief", "-uuid", UUID)
        domain = self.adopt(stranger, "brief")
        since = self.mark()
        end(stranger, domain)
        self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", domain.path, since=since)
        self.assertEqual(list(told), self.lifecycle(domain, since))
        self.assertEqual([], os.listdir(life.runtime_folder()))
        stopped = self.wait_life(domain, "stopped", since=since)
        self.assertNotIn("exit-status", stopped.details)
        stranger.process.wait(DEADLINE)

    def test_term(self):
        self.check_end(lambda stranger, _: stranger.process.terminate(),
                       ("shutdown", "host", "shutting-down"), ("stopped", "shutdown", "shut-off"))

    def test_kill(self):
        self.check_end(lambda stranger, _: stranger.process.kill(),
                       ("stopped", "failed", "shut-off"))

    def test_quit(self):
        def quit_by_other(_stranger, _domain):
            monitor = life.SecondMonitor("brief")
            try:
                monitor.execute("quit")
            except (AssertionError, OSError):
                pass             # it has gone before it answered
            monitor.close()
        self.check_end(quit_by_other, ("shutdown", "host", "shutting-down"),
                       ("stopped", "shutdown", "shut-off"))

    def test_undefine_with_destroy(self):
        self.check_end(lambda _, domain: domain.call("Domain", "Undefine", "(a{sv})",
                                                     options(destroy=True)),
                       ("shutdown", "host", "shutting-down"), ("stopped", "destroyed", "shut-off"))


class LetGo(AdoptCase):
    def test_and_again(self):
        stranger = self.stranger("free", "-uuid", UUID)
        for name in ("first", "second"):
            since = self.mark()
            domain = self.adopt(stranger, name)
            domain.undefine()
            self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", domain.path, since=since)
            self.assertEqual(STARTED + [("undefined", "released", "running")],
                             self.lifecycle(domain, since))
            self.assert_fails("NoSuchDomain", self.manager, "GetDomain", "(s)", name)
            self.assertEqual([], os.listdir(life.runtime_folder()))
            self.assertTrue(stranger.lives())
        # Its monitor is free for everybody.
        connection = stranger.connect()
        self.assertIn(b"QMP", connection.recv(4096))
        connection.close()


class Refused(AdoptCase):
    def check_refused(self, error, monitor, *words, **values):
        text = self.assert_fails(error, self.adopt, monitor, **values)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual([], self.manager("ListDomains", "(a{sv})", {}))

    def test_not_reachable(self):
        place = os.path.join(folder(), "place")
        self.check_refused("InvalidArgument", "adopt-me", "adopt-me", "absolute")
        self.check_refused("InvalidArgument", "", "either")
        self.check_refused("Io", place, place, "-qmp unix:" + place)
        with open(place, "w", encoding="utf-8"):
            pass
        self.check_refused("Io", place, place, "not a socket")
        os.unlink(place)
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(place)
        self.check_refused("Io", place, place, "nobody listens")
        dead.close()
        os.unlink(place)
        self.check_refused("InvalidArgument", place, "no-such-option", no_such_option=True)
        self.check_refused("InvalidArgument", "", "must be of type 'h'", monitor_fd="x")

    def test_human_monitor(self):
        place = os.path.join(folder(), "human")
        self.stranger("human", "-monitor", f"unix:{place},server=on,wait=off")
        self.addCleanup(lambda: os.path.exists(place) and os.unlink(place))
        self.check_refused("InvalidArgument", place, place, "does not speak QMP", timeout=SHORT)

    def test_storage_daemon(self):
        """It speaks QMP, and is no machine."""
        place = os.path.join(folder(), "storage")
        daemon = subprocess.Popen(["qemu-storage-daemon", "--chardev",
                                   f"socket,id=m,path={place},server=on,wait=off",
                                   "--monitor", "chardev=m"], stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: (daemon.kill(), daemon.wait(DEADLINE)))
        wait_until(lambda: is_listening(place), "the daemon to listen")
        self.check_refused("NotSupported", place, place, "no virtual machine")

    def test_taken(self):
        stranger = self.stranger("busy")
        other = stranger.connect()
        self.assertIn(b"QMP", other.recv(4096))
        self.check_refused("MonitorTimeout", stranger, stranger.socket, "another one",
                           timeout=SHORT)
        other.close()
        self.assertEqual("running", self.adopt(stranger, "busy").state)

    def test_hung(self):
        stranger = self.stranger("hung")
        os.kill(stranger.pid, signal.SIGSTOP)
        self.check_refused("MonitorTimeout", stranger, stranger.socket, timeout=SHORT)
        os.kill(stranger.pid, signal.SIGCONT)
        self.assertEqual("running", self.adopt(stranger, "hung").state)

    def test_the_same(self):
        stranger, twin = self.stranger("one", "-uuid", UUID), self.stranger("two", "-uuid", UUID)
        third = self.stranger("three")
        self.adopt(stranger, "one")
        for monitor, name, word in ((stranger, "other", stranger.socket),
                                    (life.monitor_socket("one"), "other", str(stranger.pid)),
                                    (twin, "other", UUID), (third, "one", "'one'")):
            text = self.assert_fails("DomainExists", self.adopt, monitor, name)
            self.assertIn(word, text)
        # One of the service's own, by another monitor.
        own = self.define("mine", machine="none", arguments=life.second_monitor("mine"))
        own.start()
        text = self.assert_fails("DomainExists", self.adopt, life.monitor_socket("mine"))
        self.assertIn("'mine'", text)
        own.destroy()
        self.assertEqual("running", self.adopt(third, "three").state)

    def test_two_at_once(self):
        stranger = self.stranger("wanted")
        calls = [self.connection.send(PATH, f"{NAME}.Manager", "AdoptDomain", "(ssa{sv})", "",
                                      stranger.socket, {}) for _ in range(2)]
        results = []
        for call in calls:
            try:
                results.append(call.result())
            except GLib.Error as error:
                self.assertEqual(harness.ERROR + "DomainExists", Gio.DBusError.get_remote_error(error))
        self.assertEqual(1, len(results))
        self.assertEqual(1, len(self.manager("ListDomains", "(a{sv})", {})))


class ByDescriptor(AdoptCase):
    def adopt_descriptor(self, connection, name=""):
        descriptors = Gio.UnixFDList.new()
        index = descriptors.append(connection.fileno())
        arguments = GLib.Variant("(ssa{sv})", (name, "", {"monitor-fd": GLib.Variant("h", index)}))
        reply, _ = self.connection.bus.call_with_unix_fd_list_sync(
            NAME, PATH, f"{NAME}.Manager", "AdoptDomain", arguments, None, Gio.DBusCallFlags.NONE,
            int(DEADLINE * 1000), descriptors, None)
        connection.close()
        return Domain(self.connection, reply.unpack()[0], name)

    def test_whole_life(self):
        stranger = self.stranger("handed")
        domain = self.adopt_descriptor(stranger.connect(), "handed")
        self.assertEqual(stranger.pid, domain.get("Domain", "PID"))
        domain.call("Domain", "Suspend")
        since = self.mark()
        stranger.process.terminate()
        self.wait_life(domain, "stopped", "shutdown", since=since)
        stranger.process.wait(DEADLINE)

    def test_restart(self):
        """The connection is gone with the service; the process is not."""
        stranger = self.stranger("handed")
        domain = self.adopt_descriptor(stranger.connect(), "handed")
        since = self.mark()
        self.connection.kill_service()
        self.assertEqual("unknown", domain.state)
        self.recorder.wait("Monitor.Lost", "closed-for-good", path=domain.path, since=since)
        domain.undefine()
        self.assertEqual("running", self.adopt(stranger, "handed").state)

    def test_listener_of_somebody_else(self):
        """A launcher makes the listening socket, as libvirt does. QEMU calls listen() once more, and so
        the kernel names QEMU."""
        place = os.path.join(folder(), "launched")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place)
            self.addCleanup(os.unlink, place)
            listener.listen(1)
            listener.setblocking(False)
            stranger = self.stranger(
                "launched", "-mon", "chardev=m,mode=control", pass_fds=[listener.fileno()],
                monitor=["-chardev", f"socket,id=m,fd={listener.fileno()},server=on,wait=off"])
        domain = self.adopt(place, "launched")
        self.assertEqual(stranger.pid, domain.get("Domain", "PID"))

    def start_at_pair(self):
        """QEMU at one end of a pair: the kernel names who made the pair, which is no QEMU."""
        ours, theirs = socket.socketpair()
        with theirs:
            stranger = self.stranger("paired", "-mon", "chardev=m,mode=control",
                                     pass_fds=[theirs.fileno()],
                                     monitor=["-chardev", f"socket,id=m,fd={theirs.fileno()}"])
        domain = self.adopt_descriptor(ours, "paired")
        self.assertEqual(0, domain.get("Domain", "PID"))
        self.assertEqual("", domain.get("Domain", "Emulator"))
        self.assertEqual("running", domain.state)
        return stranger, domain

    def test_unknown_process(self):
        stranger, domain = self.start_at_pair()
        domain.call("Domain", "Suspend")
        since = self.mark()
        stranger.process.kill()
        self.wait_life(domain, "stopped", "unknown", since=since)
        self.mark()
        self.assertEqual([("stopped", "unknown", "shut-off")], self.lifecycle(domain, since))

    def test_destroy_unknown_process(self):
        """It is asked in its own way where it cannot be sent a signal."""
        stranger, domain = self.start_at_pair()
        domain.destroy()
        self.assertEqual(0, stranger.process.wait(DEADLINE))


class Restart(AdoptCase):
    def check_found_again(self, signal_number):
        stranger = self.stranger("patient", "-device", "virtio-rng-pci,id=rng0", "-name", "patient",
                                 machine="q35")
        domain = self.adopt(stranger)
        keep = ("Name", "UUID", "PID", "Incarnation", "StartedAt", "Emulator", "Machine", "CPUs",
                "Memory", "Adopted", "Persistent", "State")
        before = [domain.get("Domain", name) for name in keep]
        since = self.mark()
        self.connection.kill_service(signal_number)
        self.assertTrue(stranger.lives())
        self.assertEqual(before, [domain.get("Domain", name) for name in keep])
        self.recorder.wait("Monitor.Resynchronized", "service-restarted", path=domain.path,
                           since=since)
        self.assertEqual([], self.lifecycle(domain, since))
        self.assertEqual({"rng0"}, set(domain.get("Devices", "Devices")))
        domain.call("Domain", "Suspend")
        self.wait_life(domain, "suspended", since=since)
        domain.undefine()
        self.assertTrue(stranger.lives())
        self.assertEqual("paused", self.adopt(stranger).state)

    def test_kill(self):
        self.check_found_again(signal.SIGKILL)

    def test_terminate(self):
        self.check_found_again(signal.SIGTERM)

    def test_ended_meanwhile(self):
        stranger = self.stranger("passing")
        domain = self.adopt(stranger, "passing")
        since = self.mark()
        self.connection.kill_service()
        stranger.end()
        self.assertEqual([], self.manager("ListDomains", "(a{sv})", {}))
        stopped = self.wait_life(domain, "stopped", "unknown", since=since)
        self.assertTrue(stopped.details["while-away"])
        self.assertEqual([], os.listdir(life.runtime_folder()))

    def test_in_the_middle(self):
        """Killed at some moment of an adoption: the domain is there, or it is not."""
        stranger = self.stranger("midway", "-uuid", UUID)
        place = os.path.join(life.runtime_folder(), UUID)
        path = f"{PATH}/domain/_{UUID.replace('-', '_')}"
        moments = [
            lambda since: True,
            lambda since: self.recorder.find("Domain.Lifecycle", "starting", path=path, since=since),
            lambda since: os.path.exists(place),
            lambda since: os.path.exists(os.path.join(place, "run.json")),
            lambda since: self.recorder.find("Domain.Lifecycle", "started", path=path, since=since),
        ]
        for moment in moments:
            since = self.mark()
            pid = self.connection.service_pid()
            call = self.connection.send(PATH, f"{NAME}.Manager", "AdoptDomain", "(ssa{sv})", "midway",
                                        stranger.socket, {})
            self.connection.bus.flush_sync(None)
            wait_until(lambda m=moment, s=since: m(s) or call.finished, "the moment")
            harness.end_process(pid)
            wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
            states = [entry[3] for entry in self.manager("ListDomains", "(a{sv})", {})]
            self.assertIn(states, ([], ["running"]))
            domain = Domain(self.connection, path, "midway")
            if not states:
                domain = self.adopt(stranger, "midway")
            domain.call("Domain", "Suspend")
            domain.call("Domain", "Resume")
            domain.undefine()
            self.assertEqual([], os.listdir(life.runtime_folder()))
        self.assertTrue(stranger.lives())

    def test_monitor_lost(self):
        """A QEMU that does not answer when the service comes back does so later."""
        stranger = self.stranger("cut")
        domain = self.adopt(stranger, "cut")
        since = self.mark()
        os.kill(stranger.pid, signal.SIGSTOP)
        self.connection.kill_service()
        self.assertEqual("unknown", domain.state)
        self.recorder.wait("Monitor.Lost", "no-answer", path=domain.path, since=since)
        os.kill(stranger.pid, signal.SIGCONT)
        self.recorder.wait("Monitor.Resynchronized", path=domain.path, since=since)
        self.assertEqual("running", domain.state)


if __name__ == "__main__":
    harness.main()
