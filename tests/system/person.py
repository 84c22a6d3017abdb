# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test's end of a person in the machine (inside_person.py): calls and signals of a connection that this person has."""
import json
from collections import namedtuple

from gi.repository import GLib

from machine import DEADLINE, TESTS, wait_until

NAME = "org.vmherald.Domains1"
PATH = "/org/vmherald/Domains1"
ERROR = NAME + ".Error."
ACCESS_DENIED = "org.freedesktop.DBus.Error.AccessDenied"
INTERACTIVE = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"

Signal = namedtuple("Signal", "path interface member arguments")
Signal.name = property(lambda self: f"{self.interface.removeprefix(NAME + '.')}.{self.member}")


class Refused(Exception):
    """The error of a call. name: without the service's prefix."""

    def __init__(self, name, message):
        super().__init__(f"{name}: {message}")
        self.name = name.removeprefix(ERROR)
        self.message = message


def unpack(text):
    values = GLib.Variant.parse(None, text, None, None).unpack()
    return values[0] if len(values) == 1 else values or None


class Person:
    def __init__(self, machine, user):
        self.machine = machine
        self.user = user
        self.process = machine.start("/usr/bin/python3", "-B", f"{TESTS}/inside_person.py", user=user)
        self.signals = []
        hello = self.ask("hello")
        self.bus_name, self.pid, self.uid, self.groups = hello["name"], hello["pid"], hello["uid"], hello["groups"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.machine.stop(self.process)

    def ask(self, step, **request):
        self.process.stdin.write(json.dumps({"do": step, **request}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"{self.user} has ended: {self.process.wait(DEADLINE)}")
        answer = json.loads(line)
        if "broken" in answer:
            raise AssertionError(f"{self.user}, {step}: {answer['broken']}")
        return answer

    # ---- calls ----

    def send(self, path, interface, member, signature="()", *arguments, interactive=False, destination=NAME,
             milliseconds=50000):
        """Sends a call and returns its number, for reply(). milliseconds: after those it has failed."""
        body = GLib.Variant(signature, arguments).print_(True)
        return self.ask("send", path=path, interface=interface, member=member, body=body, interactive=interactive,
                        destination=destination, milliseconds=milliseconds)["number"]

    def reply(self, number):
        """Waits for the answer. One value is returned as it is, more as a tuple; Refused if it is an error."""
        answer = self.ask("reply", number=number)
        if "error" in answer:
            raise Refused(answer["error"], answer["message"])
        return unpack(answer["value"])

    def has_reply(self, number):
        return bool(self.ask("poll", number=number))

    def call(self, path, interface, member, signature="()", *arguments, **keys):
        return self.reply(self.send(path, interface, member, signature, *arguments, **keys))

    def manager(self, member, signature="()", *arguments, **keys):
        return self.call(PATH, f"{NAME}.Manager", member, signature, *arguments, **keys)

    def domain(self, path, member, signature="()", *arguments, interface="Domain", **keys):
        return self.call(path, f"{NAME}.{interface}", member, signature, *arguments, **keys)

    def get(self, path, interface, name, **keys):
        return self.call(path, PROPERTIES, "Get", "(ss)", f"{NAME}.{interface}", name, **keys)

    def polkit_agent(self, password):
        self.ask("agent", password=password)

    def asked(self):
        """What its agent was asked since the last time: [action, details] of each."""
        return self.ask("asked")["asked"]

    # ---- signals ----

    def listen(self):
        self.ask("listen")

    def heard(self):
        """All signals of the service since listen()."""
        self.signals += [Signal(path, interface, member, GLib.Variant.parse(None, text, None, None).unpack())
                         for path, interface, member, text in self.ask("signals")["signals"]]
        return self.signals

    def wait_signal(self, name, *arguments):
        """Waits for the signal NAME ("Domain.Lifecycle") whose first arguments are these, and returns the first."""
        def found():
            return [one for one in self.heard() if one.name == name and one.arguments[:len(arguments)] == arguments]
        return wait_until(found, lambda: f"{name}{arguments}; {self.user} has heard {self.signals}")[0]
