# SPDX-License-Identifier: LGPL-2.1-or-later
"""A QEMU that refuses, or that is none; and callers who want things at the wrong moment."""
import json
import os
import time
import uuid

import harness
from badcase import RUNS, BadCase, read_tree, service_folder, write_program
from harness import ERROR, NAME, PATH, Domain, Gio, GLib, wait_until
from processes import end_process, processes_of

START_SECONDS = 30               # what a QEMU has to answer

# In the part of QEMU, the monitor's listening socket at descriptor 3.
ACCEPT = """#!/usr/bin/python3
import os, socket, sys, time
client, _ = socket.socket(fileno=3).accept()
greeting = b'{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}, "capabilities": []}}'
def stay():
    while True:
        time.sleep(1000)
"""


def error_name(error):
    return Gio.DBusError.get_remote_error(error).removeprefix(ERROR)


class Starts(BadCase):
    """Starts that cannot succeed."""

    def check_start(self, words, reason="failed", **keys):
        """Of a transient domain and of a persistent one. Returns the text of the error."""
        text = json.dumps(harness.definition("bad", **keys))
        since = self.mark()
        self.refuse("StartFailed", ["'bad'"] + words, self.create_text, text)
        transient = self.recorder.wait("Domain.Lifecycle", "stopped", reason, "shut-off", since=since)
        self.recorder.wait(f"{harness.OBJECT_MANAGER}.InterfacesRemoved", transient.path, since=since)
        domain = self.define("bad", **keys)
        since = self.mark()
        message = self.refuse("StartFailed", ["'bad'"] + words, domain.start)
        self.assertEqual([("starting", "booted"), ("stopped", reason)], self.events(domain, since))
        self.assert_ended(domain)
        # It is as good as new.
        self.refuse("StartFailed", words, domain.start)
        domain.undefine()
        return message

    def test_device_is_refused(self):
        self.check_start(["no-such-device"], devices=[{"driver": "no-such-device"}])
        self.check_start(["no-such-bus"], devices=[{"driver": "virtio-rng-pci",
                                                    "bus": "no-such-bus"}])

    def test_backend_is_refused(self):
        self.check_start(["/no/such/file"], blockdevs=[
            {"driver": "file", "node-name": "disk", "filename": "/no/such/file"}])
        self.check_start(["no-such-type"], netdevs=[{"type": "no-such-type", "id": "n"}])
        self.check_start(["no-such-object"], objects=[{"qom-type": "no-such-object", "id": "o"}])

    def test_machine_or_argument_is_refused(self):
        self.check_start(["unsupported machine type"], machine="no-such-machine")
        self.check_start(["no-such-option"], arguments=["-no-such-option"])
        self.check_start(["no-such-cpu"], cpu="no-such-cpu")

    def test_stderr_is_in_the_signal(self):
        since = self.mark()
        self.assert_fails("StartFailed", self.create, "bad", machine="no-such-machine")
        stopped = self.recorder.wait("Domain.Lifecycle", "stopped", since=since)
        self.assertIn("unsupported machine type", stopped.details["stderr"])
        self.assertEqual(1, stopped.details["exit-status"])

    def test_no_program(self):
        place = harness.folder()
        self.check_start(["/no/such/qemu"], emulator="/no/such/qemu")
        self.check_start(["qemu-system-nothing"], emulator="qemu-system-nothing")
        self.check_start([place], emulator=place)
        plain = write_program("not-executable", "#!/bin/sh\nexit 0\n", 0o644)
        self.check_start([plain], emulator=plain)
        garbage = write_program("garbage-binary", "\x7fELF but not really")
        self.check_start([garbage, "format"], emulator=garbage)
        orphan = write_program("no-interpreter", "#!/no/such/interpreter\n")
        self.check_start([orphan], emulator=orphan)

    def test_ends_at_once(self):
        talking = write_program("talking", "#!/bin/sh\necho no luck today >&2\nexit 3\n")
        self.check_start(["QEMU said: no luck today"], emulator=talking)
        silent = write_program("silent", "#!/bin/sh\nexit 0\n")
        self.check_start([], emulator=silent)
        killed = write_program("killed", "#!/bin/sh\nkill -KILL $$\n")
        self.check_start([], emulator=killed)

    def test_says_what_is_no_text(self):
        """The bus carries UTF-8 only, and nobody's terminal shall be taken over."""
        odd = write_program("odd", "#!/bin/sh\nprintf 'odd \\377\\376\\033[2J\\001 end' >&2\nexit 1\n")
        message = self.check_start(["odd ", " end"], emulator=odd)
        self.assertNotIn("\033", message)
        self.assertNotIn("\001", message)

    def test_says_too_much(self):
        chatty = write_program("chatty", "#!/bin/sh\nyes a very long complaint | head -c 3000000 >&2\n"
                                         "echo the last line >&2\nexit 1\n")
        message = self.check_start(["the last line"], emulator=chatty)
        self.assertLess(len(message), 20000)

    def test_garbage_on_the_monitor(self):
        for name, action in (
                ("lines", "client.sendall(b'hello\\n' * 100000)"),
                ("json", "client.sendall(b'[]\\n' * 100000)"),
                ("control", "client.sendall(bytes(range(256)) * 1000)"),
                ("endless", "[client.sendall(b'[1,2,3]' * 10000) for _ in range(2000)]"),
                ("nested", "client.sendall(b'[' * 100000 + b'\\n' + b'{}\\n' * 100000)"),
                ("hang-up", "client.close()"),
                ("greeting-hang-up", "client.sendall(greeting + b'\\n'); client.close()"),
                ("half-a-greeting", "client.sendall(greeting[:20]); client.close()"),
                ("refusal", "client.sendall(greeting + b'\\n'); client.recv(9999); client.sendall("
                            "b'{\"error\": {\"class\": \"GenericError\", \"desc\": \"no!\"}, "
                            "\"id\": 1}\\n')")):
            with self.subTest(name=name):
                program = write_program(f"monitor-{name}", f"{ACCEPT}\ntry:\n    {action}\n"
                                                           "except OSError:\n    pass\nstay()\n")
                self.check_start([], emulator=program)

    def test_never_answers(self):
        """In their own time, all at once, and each can be ended before."""
        programs = {
            "deaf": "#!/bin/sh\nexec sleep 1000\n",
            "mute": ACCEPT + "stay()\n",
            "polite": ACCEPT + "client.sendall(greeting + b'\\n')\nstay()\n",
            "stubborn": "#!/bin/sh\ntrap '' TERM\nexec sleep 1000\n",
        }
        domains = {name: self.define(name, emulator=write_program(name, text))
                   for name, text in programs.items()}
        # This one is destroyed, and need not wait.
        pending = domains["stubborn"].send("Domain", "Start", "(a{sv})", {})
        wait_until(lambda: domains["stubborn"].get("Domain", "PID"), "a process")
        child = [pid for pid, comm in processes_of(harness.folder()) if comm == "sleep"]
        began = time.monotonic()
        domains["stubborn"].destroy()
        self.assertLess(time.monotonic() - began, START_SECONDS / 2)
        for pid in child:
            end_process(pid)         # the shell's, which could not end it any more
        self.assert_fails("StartFailed", pending.result)
        self.assert_ended(domains.pop("stubborn"))

        began = time.monotonic()
        starts = {name: domain.send("Domain", "Start", "(a{sv})", {})
                  for name, domain in domains.items()}
        other = self.create("other")
        self.assertEqual("running", other.state)
        self.assertFalse(any(start.finished for start in starts.values()))
        other.destroy()
        for name, start in starts.items():
            message = self.assert_fails("StartFailed", start.result)
            self.assertIn(f"'{name}'", message)
            self.assertIn(f"{START_SECONDS * 1000} ms", message)
        self.assertGreater(time.monotonic() - began, START_SECONDS - 1)
        for domain in domains.values():
            self.assertEqual([("defined", "added"), ("starting", "booted"), ("stopped", "failed")],
                             self.events(domain))
            self.assert_ended(domain)
        self.assertEqual([], [comm for _, comm in processes_of(harness.folder()) if comm == "sleep"])


class Attach(BadCase):
    """What QEMU refuses to plug in leaves nothing behind."""

    def setUp(self):
        super().setUp()
        self.domain = self.create_paused("attach", arguments=[
            "-device", "pcie-root-port,id=port0,chassis=1"])
        self.disk = os.path.join(harness.folder(), "attach.img")
        with open(self.disk, "wb") as file:
            file.truncate(1 << 20)

    def backends(self):
        return {
            "nodes": sorted(n["node-name"] for n in self.domain.qmp("query-named-block-nodes")),
            "objects": sorted(o["name"] for o in self.domain.qmp("qom-list", {"path": "/objects"})),
            "network": self.domain.hmp("info network"),
            "devices": sorted(self.domain.get("Devices", "Devices")),
            "peripheral": sorted(o["name"] for o in self.domain.qmp("qom-list",
                                                                   {"path": "/machine/peripheral"})),
        }

    def check(self, words, device, **backends):
        before = self.backends()
        since = self.mark()
        self.refuse("QemuError", words, self.domain.attach, device,
                    **{kind: json.dumps(value) for kind, value in backends.items()})
        self.assertEqual(before, self.backends())
        self.assertEqual([], self.stamped(since))

    def test_refused(self):
        node = {"driver": "file", "node-name": "node0", "filename": self.disk}
        netdev = {"type": "user", "id": "host0"}
        rng = {"qom-type": "rng-random", "id": "random0", "filename": "/dev/urandom"}
        self.check(["no-such-device"], {"driver": "no-such-device"})
        self.check(["no-such-bus"], {"driver": "virtio-rng-pci", "bus": "no-such-bus"})
        self.check(["no-such-property"], {"driver": "virtio-rng-pci", "bus": "port0",
                                          "no-such-property": 1})
        self.check(["no-such-node"], {"driver": "virtio-blk-pci", "bus": "port0",
                                      "drive": "no-such-node"})
        nothing = {"driver": "no-such-device"}
        self.check(["no-such-device"], nothing, blockdev=node)
        self.check(["no-such-device"], nothing, netdev=netdev)
        self.check(["no-such-device"], nothing, object=rng)
        self.check(["no-such-device"], nothing, blockdev=node, netdev=netdev, object=rng)

    def test_backend_is_refused(self):
        node = {"driver": "file", "node-name": "node0", "filename": "/no/such/file"}
        rng = {"qom-type": "rng-random", "id": "random0", "filename": "/dev/urandom"}
        device = {"driver": "virtio-rng-pci", "bus": "port0", "rng": "random0"}
        self.check(["/no/such/file"], device, object=rng, blockdev=node)
        self.check(["no-such-type"], device, object=rng,
                   netdev={"type": "no-such-type", "id": "host0"})
        self.check(["no-such-object"], device, object={"qom-type": "no-such-object", "id": "o"})
        # Nothing of it stays in the way of who does it right.
        self.domain.attach(dict(device, id="rng0"), object=json.dumps(rng))

    def test_backend_of_somebody_else_stays(self):
        """What was refused because it is there already is not taken away."""
        rng = {"qom-type": "rng-random", "id": "random0", "filename": "/dev/urandom"}
        self.domain.qmp("object-add", rng)
        self.check(["random0"], {"driver": "virtio-rng-pci", "rng": "random0"}, object=rng)
        self.assertIn("random0", self.backends()["objects"])


class Moments(BadCase):
    """Calls at a moment at which they cannot be, or just about can."""

    def outcome(self, pending):
        """The name of the error, or "" for success."""
        try:
            pending.result()
            return ""
        except GLib.Error as error:
            return error_name(error)

    def ping(self, times):
        """Lets time pass in the service, a round trip each."""
        for _ in range(times):
            self.connection.call(PATH, "org.freedesktop.DBus.Peer", "Ping")

    def test_started_twice(self):
        domain = self.define("twice")
        domain.start()
        self.refuse("WrongState", ["'twice'", "running"], domain.start)
        pid = domain.get("Domain", "PID")
        self.assertEqual("running", domain.state)
        self.assertEqual([pid], [pid for pid, _ in harness.qemus_of(harness.folder())])

    def test_started_by_many(self):
        domain = self.define("many")
        pending = [domain.send("Domain", "Start", "(a{sv})", {}) for _ in range(50)]
        self.assertEqual([""] + ["WrongState"] * 49, [self.outcome(p) for p in pending])
        self.assertEqual([("defined", "added"), ("starting", "booted"), ("started", "booted")],
                         self.events(domain))

    def test_needs_to_run(self):
        domain = self.define("off")
        for member in ("Shutdown", "Reboot", "Destroy"):
            self.refuse("WrongState", ["'off'", "shut-off"], domain.call, "Domain", member,
                        "(a{sv})", {})
        for member in ("Reset", "Suspend", "Resume", "Wakeup", "InjectNMI"):
            self.refuse("WrongState", ["'off'", "shut-off"], domain.call, "Domain", member)
        self.refuse("WrongState", ["'off'"], domain.attach, {"driver": "virtio-rng-pci"})
        self.refuse("WrongState", ["'off'"], domain.detach, "x")
        self.refuse("WrongState", ["'off'"], domain.qmp, "query-status")

    def test_destroyed_while_starting(self):
        """At all moments between the call and its end."""
        domain = self.define("brief")
        reached = set()
        for moment in range(60):
            since = self.mark()
            start = domain.send("Domain", "Start", "(a{sv})", {})
            self.ping(moment)
            destroy = domain.send("Domain", "Destroy", "(a{sv})",
                                  {"grace": GLib.Variant("t", 5000000 * (moment % 2))})
            outcome = self.outcome(start)
            self.assertEqual("", self.outcome(destroy))
            self.assertIn(outcome, ("", "StartFailed"))
            self.assert_ended(domain)
            stopped = self.recorder.wait("Domain.Lifecycle", "stopped", path=domain.path,
                                         since=since)
            self.assertEqual("destroyed", stopped.arguments[1])
            events = [event for event, _ in self.events(domain, since)]
            if "shutdown" in events:
                events.remove("shutdown")        # QEMU has told of the TERM it got
            self.assertEqual(["starting"] + ([] if outcome else ["started"]) + ["stopped"], events)
            reached.add(outcome)
        # Both ways to end were seen, so the moments were spread well.
        self.assertIn("StartFailed", reached)

    def test_created_and_destroyed(self):
        for moment in range(20):
            identity = str(uuid.uuid4())
            text = json.dumps(harness.definition("brief", uuid=identity))
            path = f"{PATH}/domain/_{identity.replace('-', '_')}"
            domain = Domain(self.connection, path, "brief")
            created = self.connection.send(PATH, f"{NAME}.Manager", "CreateDomain", "(sa{sv})",
                                           text, {})
            self.recorder.wait("Domain.Lifecycle", "starting", path=path)
            self.ping(moment)
            self.assertEqual("", self.outcome(domain.send("Domain", "Destroy", "(a{sv})", {})))
            self.assertIn(self.outcome(created), ("", "StartFailed"))
            self.assertEqual({}, self.connection.managed_objects())
            self.assertEqual([], sorted(read_tree(service_folder(RUNS))))
        self.assertEqual([], harness.qemus_of(harness.folder()))

    def test_undefined_while_running(self):
        domain = self.define("busy")
        domain.start()
        self.refuse("WrongState", ["'busy'", "running", "shut-off"], domain.undefine)
        domain.destroy()
        domain.undefine()

    def test_undefined_twice(self):
        domain = self.define("gone")
        domain.undefine()
        self.refuse("org.freedesktop.DBus.Error.UnknownObject", [domain.path], domain.undefine)
        domain = self.define("gone")
        pending = [domain.send("Domain", "Undefine", "(a{sv})", {}) for _ in range(20)]
        outcomes = [self.outcome(p) for p in pending]
        self.assertEqual("", outcomes[0])
        self.assertEqual([], [o for o in outcomes[1:] if o not in
                              ("NoSuchDomain", "org.freedesktop.DBus.Error.UnknownObject")])
        self.assertEqual(1, len(self.recorder.find("Domain.Lifecycle", "undefined",
                                                   path=domain.path)))

    def test_started_and_undefined(self):
        for first, second in (("Start", "Undefine"), ("Undefine", "Start")):
            for moment in range(10):
                domain = self.define("both")
                one = domain.send("Domain", first, "(a{sv})", {})
                self.ping(moment)
                two = domain.send("Domain", second, "(a{sv})", {})
                outcomes = {first: self.outcome(one), second: self.outcome(two)}
                objects = self.connection.managed_objects()
                if outcomes["Start"] == "":
                    # Undefined or not, what runs can be seen and ended.
                    self.assertEqual("running", domain.state)
                    self.assertEqual(outcomes["Undefine"] != "", domain.get("Domain", "Persistent"))
                    domain.destroy()
                    if outcomes["Undefine"]:
                        self.assertEqual("WrongState", outcomes["Undefine"])
                        domain.undefine()
                else:
                    self.assertEqual("", outcomes["Undefine"])
                    self.assertIn(outcomes["Start"], ("NoSuchDomain", "org.freedesktop.DBus.Error."
                                                                      "UnknownObject"))
                    self.assertEqual({}, objects)
                self.assertEqual({}, self.look()["objects"])
                self.assertEqual({}, self.look()["definitions"])
                self.assertEqual([], self.look()["runs"])

    def test_created_by_many(self):
        text = json.dumps(harness.definition("wanted"))
        pending = [self.connection.send(PATH, f"{NAME}.Manager", "CreateDomain", "(sa{sv})", text, {})
                   for _ in range(20)]
        outcomes = [self.outcome(p) for p in pending]
        self.assertEqual([""] + ["DomainExists"] * 19, outcomes)
        self.assertEqual(1, len(self.connection.managed_objects()))
        self.assertEqual(1, len(harness.qemus_of(harness.folder())))

    def test_all_at_once(self):
        """A thousand calls of all kinds on one domain; each has one answer, and the domain is well."""
        domain = self.define("popular", arguments=["-device", "qemu-xhci,id=usb"])
        domain.start()
        mix = (
            ("Domain", "Start", "(a{sv})", {}),
            ("Domain", "Suspend", "()"),
            ("Monitor", "Execute", "(ssa{sv})", "query-status", "", {}),
            ("Devices", "AttachDevice", "(sa{sv})", '{"driver": "usb-tablet"}', {}),
            ("Domain", "Resume", "()"),
            ("Domain", "SetAutostart", "(b)", True),
            ("Monitor", "Execute", "(ssa{sv})", "no-such-command", "{}", {}),
            ("Domain", "Reset", "()"),
            ("Devices", "DetachDevice", "(sa{sv})", "device0", {}),
            ("Domain", "GetDefinition", "(a{sv})", {}),
            ("Monitor", "Execute", "(ssa{sv})", "query-block", "[", {}),
            ("Domain", "SetAutostart", "(b)", False),
            ("Domain", "Undefine", "(a{sv})", {"now": GLib.Variant("b", True)}),
            ("Domain", "Wakeup", "()"),
            ("Domain", "Nothing", "()"),
            ("Domain", "InjectNMI", "()"),
        )
        pending = [domain.send(*mix[i % len(mix)]) for i in range(1000)]
        pending.append(domain.send("Domain", "Destroy", "(a{sv})", {}))
        outcomes = [self.outcome(p) for p in pending]
        self.assertEqual("", outcomes[-1])
        allowed = {"", "WrongState", "QemuError", "MonitorLost", "NoSuchDevice",
                   "InvalidArgument", "org.freedesktop.DBus.Error.UnknownMethod"}
        self.assertEqual(set(), set(outcomes) - allowed)
        self.assert_ended(domain)
        self.assert_served()
        domain.start()
        self.assertEqual("running", domain.state)


if __name__ == "__main__":
    harness.main()
