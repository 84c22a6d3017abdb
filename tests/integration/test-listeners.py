# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tools people listen with show the signals of a domain that somebody else starts. They make
no call to the service: a match rule is the whole registration. Three tools, three implementations
of D-Bus (GDBus, sd-bus, libdbus)."""
import json
import os
import re
import subprocess
import threading
import xml.etree.ElementTree as ElementTree

import harness
from harness import GLib, NAME, PATH

LIFE = ("defined", "starting", "started", "suspended", "resumed", "stopped", "undefined")


def promised_signatures():
    """Interface.Member -> signature, from the installed descriptions."""
    signatures = {}
    place = os.environ["VMHERALD_INTROSPECTION"]
    for name in os.listdir(place):
        if not name.endswith(".xml"):
            continue
        for interface in ElementTree.parse(os.path.join(place, name)).iter("interface"):
            for signal in interface.findall("signal"):
                signatures[f"{interface.get('name')}.{signal.get('name')}"] = \
                    "".join(argument.get("type") for argument in signal.findall("arg"))
    return signatures


class Listener:
    """A tool that prints what it hears. Its lines are collected by a thread, since a pipe that
    nobody reads would stop it."""

    def __init__(self, *command):
        self.lines = []
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, encoding="utf-8")
        self.thread = threading.Thread(target=self._collect)
        self.thread.start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def wait(self, pattern):
        expression = re.compile(pattern)
        harness.wait_until(lambda: any(expression.search(line) for line in list(self.lines)),
                           f"{self.process.args[0]} to print {pattern}; so far: {self.lines}")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


class Listeners(harness.ServiceCase):
    def listen(self, *command):
        listener = Listener(*command)
        self.addCleanup(listener.stop)
        return listener

    def live(self):
        """A short life, told by somebody who is not the listener."""
        domain = self.define("heard")
        domain.start()
        domain.call("Domain", "Suspend")
        domain.call("Domain", "Resume")
        domain.destroy()
        domain.undefine()
        self.recorder.wait("Domain.Lifecycle", "undefined")

    def check(self, heard):
        """heard: (interface.member, signature, first argument or None) in order."""
        signatures = promised_signatures()
        self.assertNotEqual([], heard)
        for member, signature, _ in heard:
            self.assertEqual(signatures[member], signature, member)
        expected = [(f"{s.interface}.{s.member}", s.arguments[0]) for s in self.recorder.events()]
        self.assertEqual(expected, [(member, first) for member, _, first in heard])
        events = [first for member, _, first in heard if member.endswith(".Domain.Lifecycle")]
        self.assertEqual([], [event for event in LIFE if event not in events])

    def test_gdbus_monitor(self):
        listener = self.listen("gdbus", "monitor", "--session", "--dest", NAME)
        # It prints this after it has put its match rule in place.
        listener.wait(r"^The name .* is owned by")
        self.live()
        listener.wait(r"Domain\.Lifecycle \('undefined'")
        heard = []
        for line in listener.lines:
            match = re.match(rf"^{PATH}\S*: ({re.escape(NAME)}\.\S+\.\S+) (\(.*\))$", line)
            if match:
                value = GLib.Variant.parse(None, match.group(2), None, None)
                heard.append((match.group(1), value.get_type_string()[1:-1], value.unpack()[0]))
        self.check(heard)

    def test_busctl_monitor(self):
        listener = self.listen("busctl", "monitor", "--json=short",
                               f"--address={os.environ['DBUS_SESSION_BUS_ADDRESS']}",
                               f"--match=type='signal',sender='{NAME}',path_namespace='{PATH}'")
        listener.wait(r"^Monitoring bus message stream")
        self.live()
        listener.wait(r'"member":"Lifecycle".*"undefined"')
        heard = []
        for line in listener.lines:
            message = json.loads(line) if line.startswith("{") else {}
            if message.get("interface", "").startswith(NAME + "."):
                heard.append((f"{message['interface']}.{message['member']}",
                              message["payload"]["type"], message["payload"]["data"][0]))
        self.check(heard)

    def test_dbus_monitor(self):
        listener = self.listen("dbus-monitor", "--session",
                               f"type='signal',sender='{NAME}',path_namespace='{PATH}'")
        # A monitor gives up its name, and hears that first.
        listener.wait("member=NameLost")
        self.live()
        listener.wait(r'^   string "undefined"$')
        heard = []
        for index, line in enumerate(listener.lines):
            match = re.match(rf"^signal .* interface=({re.escape(NAME)}\.\S+); member=(\S+)$", line)
            if match:
                first = re.match(r'^   string "(.*)"$', listener.lines[index + 1]).group(1)
                member = ".".join(match.groups())
                # It prints values, not the signature; test_gdbus_monitor() sees types as sent.
                heard.append((member, promised_signatures()[member], first))
        self.check(heard)

    def test_one_value(self):
        """arg0 selects one event of one domain's life: one rule, one signal."""
        listener = self.listen("busctl", "monitor", "--json=short",
                               f"--address={os.environ['DBUS_SESSION_BUS_ADDRESS']}",
                               f"--match=type='signal',sender='{NAME}',"
                               f"interface='{NAME}.Domain',member='Lifecycle',arg0='stopped'")
        listener.wait(r"^Monitoring bus message stream")
        self.live()
        listener.wait('"stopped"')
        messages = [json.loads(line) for line in listener.lines if line.startswith("{")]
        # Only what the monitor is told about itself by the bus may come besides.
        heard = [m for m in messages if m.get("sender") != "org.freedesktop.DBus"]
        self.assertEqual(["stopped"], [m["payload"]["data"][0] for m in heard])

    def test_vmheraldctl_events(self):
        reader, writer = os.pipe()
        process = subprocess.Popen(["vmheraldctl", "events", "--passive", "--json",
                                    f"--ready-fd={writer}"], pass_fds=[writer], encoding="utf-8",
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        os.close(writer)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        with os.fdopen(reader, encoding="utf-8") as ready:
            self.assertEqual("ready\n", ready.readline())
        self.live()
        heard = []
        for line in process.stdout:
            event = json.loads(line)
            heard.append((f"{NAME}.{event['interface'].removeprefix(NAME + '.')}."
                          f"{event['member']}", event["arguments"][0]))
            if heard[-1][1] == "undefined":
                break
        self.assertEqual([(f"{s.interface}.{s.member}", s.arguments[0])
                          for s in self.recorder.events()], heard)


if __name__ == "__main__":
    harness.main()
