# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.freedesktop.LogControl1, as systemctl service-log-level uses it: what can be set, what cannot, and
that it has an effect. The records go to stderr here; test-journal.py has the journal."""
import os
import subprocess
import xml.etree.ElementTree as ElementTree

import harness
import life
from harness import GLib, wait_until

PATH = "/org/freedesktop/LogControl1"
INTERFACE = "org.freedesktop.LogControl1"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
LINE = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} vmherald: "


class LogControl(harness.ServiceCase):
    def setUp(self):
        super().setUp()
        self.set("LogLevel", "info")
        self.set("LogTarget", "auto")

    def get(self, name):
        return self.connection.get(PATH, INTERFACE, name)

    def set(self, name, value):
        self.connection.set(PATH, INTERFACE, name, GLib.Variant("s", value))

    def test_shape(self):
        """As org.freedesktop.LogControl1(5) has it."""
        text = self.connection.call(PATH, "org.freedesktop.DBus.Introspectable", "Introspect")
        interface = ElementTree.fromstring(text).find(f"interface[@name='{INTERFACE}']")
        self.assertEqual([("LogLevel", "s", "readwrite"), ("LogTarget", "s", "readwrite"),
                          ("SyslogIdentifier", "s", "read")],
                         sorted((member.get("name"), member.get("type"), member.get("access"))
                                for member in interface))

    def test_defaults(self):
        self.assertEqual(("info", "console", "vmherald"),
                         tuple(map(self.get, ("LogLevel", "LogTarget", "SyslogIdentifier"))))

    def test_levels(self):
        for level in ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"):
            self.set("LogLevel", level)
            self.assertEqual(level, self.get("LogLevel"))

    def test_bad_values(self):
        for name, value in (("LogLevel", "loud"), ("LogLevel", ""), ("LogLevel", "INFO"),
                            ("LogTarget", "kmsg"), ("LogTarget", ""), ("LogTarget", "x" * 100000)):
            with self.subTest(name=name, value=value[:10]):
                text = self.assert_fails(INVALID, self.set, name, value)
                self.assertIn(f"{name}: '{value}' is none of", text)
        self.assertEqual(("info", "console"), (self.get("LogLevel"), self.get("LogTarget")))
        self.assert_fails("org.freedesktop.DBus.Error.PropertyReadOnly", self.set,
                          "SyslogIdentifier", "me")

    def hang_up(self, name):
        """Has the service read its definitions again, one of which is broken: it warns."""
        os.makedirs(life.definitions_folder(), exist_ok=True)
        path = os.path.join(life.definitions_folder(), name)
        with open(path, "w", encoding="utf-8") as file:
            file.write("{")
        try:
            self.manager("Reload")
        finally:
            os.unlink(path)

    def test_effect(self):
        self.hang_up("told.json")
        wait_until(lambda: "told.json" in life.service_log(), "the warning")
        line = next(l for l in life.service_log().splitlines() if "told.json" in l)
        self.assertRegex(line, LINE + "warning: ")
        self.set("LogLevel", "err")
        self.hang_up("hushed.json")
        self.set("LogLevel", "debug")
        self.set("LogTarget", "null")
        self.hang_up("nowhere.json")
        self.set("LogTarget", "console")
        self.hang_up("again.json")
        wait_until(lambda: "again.json" in life.service_log(), "the warning")
        self.assertNotIn("hushed.json", life.service_log())
        self.assertNotIn("nowhere.json", life.service_log())

    def test_by_busctl(self):
        """What systemctl does behind service-log-level, where there is no systemd to ask for the name."""
        command = ["busctl", "--user", "set-property", harness.NAME, PATH, INTERFACE, "LogLevel", "s"]
        subprocess.run([*command, "notice"], check=True)
        self.assertEqual("notice", self.get("LogLevel"))
        refused = subprocess.run([*command, "loud"], capture_output=True, text=True, check=False)
        self.assertNotEqual(0, refused.returncode)
        self.assertIn("LogLevel: 'loud' is none of", refused.stderr)


class Options(harness.ServiceCase):
    def run_service(self, *arguments, **environment):
        """The program alone, with options that end it at once."""
        with open(f"/proc/{self.connection.service_pid()}/cmdline", "rb") as file:
            program = file.read().split(b"\0")[0].decode()
        return subprocess.run([program, *arguments], capture_output=True, text=True, check=False,
                              env=dict(os.environ, **environment), timeout=harness.DEADLINE)

    def test_bad_options(self):
        self.manager("ListDomains", "(a{sv})", {})
        for arguments in (("--log-level=loud",), ("--log-target=kmsg",), ("--log-level=",)):
            done = self.run_service(*arguments)
            self.assertEqual((2, ""), (done.returncode, done.stdout))
            self.assertIn("--log-level is one of emerg, ", done.stderr)
            self.assertIn("--log-target one of auto, ", done.stderr)

    def test_environment(self):
        """A bad one is told and does no harm; an option counts more."""
        self.manager("ListDomains", "(a{sv})", {})
        # Without a bus it ends, and says why.
        nowhere = {"DBUS_SESSION_BUS_ADDRESS": "unix:path=/nowhere"}
        done = self.run_service(SYSTEMD_LOG_LEVEL="loud", SYSTEMD_LOG_TARGET="kmsg", **nowhere)
        self.assertEqual(1, done.returncode)
        self.assertRegex(done.stderr, "(?m)" + LINE + "warning: SYSTEMD_LOG_LEVEL: 'loud' is no level")
        self.assertRegex(done.stderr, "(?m)" + LINE + "warning: SYSTEMD_LOG_TARGET: 'kmsg' ")
        self.assertIn("The session bus: ", done.stderr)
        self.assertEqual("", self.run_service(SYSTEMD_LOG_LEVEL="crit", **nowhere).stderr)
        self.assertIn("The session bus: ", self.run_service(
            "--log-level=info", SYSTEMD_LOG_LEVEL="crit", **nowhere).stderr)
        self.assertEqual("", self.run_service(SYSTEMD_LOG_TARGET="null", **nowhere).stderr)


if __name__ == "__main__":
    harness.main()
