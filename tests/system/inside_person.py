# SPDX-License-Identifier: LGPL-2.1-or-later
"""A person in the machine: a connection to the system bus, by GDBus, for as long as the case wants one. What is to be done comes
as lines of JSON on the standard input, and each line has its answer. Values are GVariants, as text.

person.py is the other end."""
import json
import os
import subprocess
import sys

from gi.repository import Gio, GLib

NAME = "org.vmherald.Domains1"
POLKIT = ("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority", "org.freedesktop.PolicyKit1.Authority")
AGENT_PATH = "/org/vmherald/test/Agent"
AGENT_HELPER = "/usr/lib/polkit-1/polkit-agent-helper-1"
AGENT_XML = """<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
<method name="BeginAuthentication"><arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="a{ss}" direction="in"/><arg type="s" direction="in"/><arg type="a(sa{sv})" direction="in"/></method>
<method name="CancelAuthentication"><arg type="s" direction="in"/></method></interface></node>"""


def spin(context, condition):
    while not condition():
        context.iteration(True)


class Person:
    def __init__(self):
        self.context = GLib.MainContext.default()
        self.bus = Gio.bus_get_sync(Gio.BusType.SYSTEM, None)
        self.bus.set_exit_on_close(False)
        self.signals = []
        self.asked = []                 # what the agent was asked: action and details
        self.password = None
        self.pending = {}               # of calls that nobody has waited for yet

    # ---- the steps ----

    def do_hello(self, _request):
        return {"name": self.bus.get_unique_name(), "pid": os.getpid(), "uid": os.getuid(), "groups": os.getgroups()}

    def do_send(self, request):
        """Sends a call; its answer is asked for by "reply"."""
        number = len(self.pending)
        flags = Gio.DBusCallFlags.ALLOW_INTERACTIVE_AUTHORIZATION if request.get("interactive") else 0
        body = GLib.Variant.parse(None, request["body"], None, None) if request.get("body") else None
        self.pending[number] = None

        def finish(bus, result):
            try:
                self.pending[number] = {"value": bus.call_finish(result).print_(True)}
            except GLib.Error as error:
                name = Gio.DBusError.get_remote_error(error)
                Gio.DBusError.strip_remote_error(error)
                self.pending[number] = {"error": name or f"{error.domain}:{error.code}", "message": error.message}

        self.bus.call(request.get("destination", NAME), request["path"], request["interface"], request["member"],
                      body, None, Gio.DBusCallFlags(flags), request["milliseconds"], None, finish)
        return {"number": number}

    def do_reply(self, request):
        spin(self.context, lambda: self.pending[request["number"]] is not None)
        return self.pending[request["number"]]

    def do_poll(self, request):
        while self.context.iteration(False):
            pass
        return self.pending[request["number"]] or {}

    def do_listen(self, _request):
        """To all that the service emits. When this is answered, the rule is in force."""
        self.bus.signal_subscribe(NAME, None, None, None, None, Gio.DBusSignalFlags.NONE, self.arrived)
        self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
                           None, None, Gio.DBusCallFlags.NONE, -1, None)
        return {}

    def arrived(self, _bus, _sender, path, interface, member, parameters):
        self.signals.append([path, interface, member, parameters.print_(True)])

    def do_signals(self, _request):
        """What has come since the last time. The bus keeps order: what was sent to us before this call was answered has come."""
        self.bus.call_sync("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId",
                           None, None, Gio.DBusCallFlags.NONE, -1, None)
        while self.context.iteration(False):
            pass
        told, self.signals = self.signals, []
        return {"signals": told}

    # ---- polkit's agent ----

    def do_agent(self, request):
        """From now on polkit may ask here for the password of root, and gets what the request says."""
        self.password = request["password"]
        interface = Gio.DBusNodeInfo.new_for_xml(AGENT_XML).interfaces[0]
        self.bus.register_object(AGENT_PATH, interface, self.agent_called, None, None)
        with open("/proc/self/stat", encoding="ascii") as stat:
            start = int(stat.read().rpartition(")")[2].split()[19])
        subject = ("unix-process", {"pid": GLib.Variant("u", os.getpid()), "start-time": GLib.Variant("t", start)})
        self.bus.call_sync(*POLKIT, "RegisterAuthenticationAgent",
                           GLib.Variant("((sa{sv})ss)", (subject, "C", AGENT_PATH)), None,
                           Gio.DBusCallFlags.NONE, -1, None)
        return {}

    def agent_called(self, _bus, _sender, _path, _interface, member, parameters, invocation):
        if member == "BeginAuthentication":
            action, _, _, details, cookie, _ = parameters.unpack()
            self.asked.append([action, details])
            # polkit's own program, which is root's, asks PAM. It reads the cookie and an answer to each question.
            helper = subprocess.run([AGENT_HELPER, "root"], input=f"{cookie}\n{self.password}\n", text=True,
                                    capture_output=True, timeout=30, check=False)
            if "SUCCESS" not in helper.stdout:
                self.asked[-1].append(helper.stdout + helper.stderr)
        invocation.return_value(None)

    def do_asked(self, _request):
        asked, self.asked = self.asked, []
        return {"asked": asked}

    # ---- the loop ----

    def run(self):
        for line in iter(sys.stdin.readline, ""):
            request = json.loads(line)
            try:
                answer = getattr(self, "do_" + request["do"])(request)
            except Exception as error:      # told on the other side, where the case is
                answer = {"broken": f"{type(error).__name__}: {error}"}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    Person().run()
