# SPDX-License-Identifier: LGPL-2.1-or-later
"""What an administrator does first: installs the packages on a fresh Debian, makes a domain, and lets a colleague watch."""
import os
import re
import subprocess
import time

import system_case
from machine import wait_until
from person import NAME

# What an ordinary member may listen with, and how each tells of a domain that was started.
LISTENERS = {
    "gdbus": (["gdbus", "monitor", "--system", "--dest", NAME], "Domain.Lifecycle ('started', 'booted', 'running'"),
    "dbus-monitor": (["dbus-monitor", "--system", f"type='signal',sender='{NAME}'"], 'string "started"'),
    "vmheraldctl": (["vmheraldctl", "--system", "events"], "started"),
}

# Of ten; a hair above what the unit has.
EXPOSURE_MAX = 4.5


class Listener:
    """A program that prints what it hears; it ends with close()."""

    def __init__(self, machine, user, command):
        self.machine = machine
        self.process = machine.start("stdbuf", "--output=L", *command, user=user, stderr=subprocess.STDOUT)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    def read(self):
        self.text += self.process.stdout.read() or ""
        return self.text

    def close(self):
        self.machine.stop(self.process)


class Install(system_case.SystemCase):
    INSTALL = False

    def listener(self, user, *command):
        listener = Listener(self.machine, user, command)
        self.addCleanup(listener.close)
        return listener

    def test_1_done_when(self):
        """apt install, one vmheraldctl create, and an ordinary member sees typed signals."""
        begun = time.monotonic()
        self.machine.install()
        system_case.measured(f"installed in {time.monotonic() - begun:.1f} s")

        self.machine.run("vmheraldctl", "--system", "list")
        listeners = {name: self.listener("alice", *command) for name, (command, _) in LISTENERS.items()}
        wait_until(lambda: self.listening() >= len(LISTENERS), lambda: f"all to listen: {listeners}")
        begun = time.monotonic()
        self.machine.run("vmheraldctl", "--system", "create", "web1", "--machine", "none", "--accel", "tcg",
                         "--memory", "16M")
        system_case.measured(f"the first domain runs {time.monotonic() - begun:.2f} s after it was asked for")
        for name, (_, text) in LISTENERS.items():
            with self.subTest(listener=name):
                wait_until(lambda: text in listeners[name].read(), lambda: f"{text} in {listeners[name].text}")
        self.assertIn("running", self.machine.run("vmheraldctl", "--system", "list", user="alice").stdout)
        # dbus-daemon lets nobody but root become a monitor, which is what this one asks for.
        refused = self.machine.run("busctl", "--system", "monitor", NAME, user="alice", check=False)
        self.assertIn("BecomeMonitor failed: Access denied", refused.stdout + refused.stderr)

    def listening(self):
        """How many connections have a rule for the service's signals, by its name or by what the name stands for."""
        bus = ("org.freedesktop.DBus", "/org/freedesktop/DBus")
        owner = self.machine.run("busctl", "--system", "call", *bus, "org.freedesktop.DBus", "GetNameOwner", "s",
                                 NAME).stdout.split('"')[1]
        rules = self.machine.run("busctl", "--system", "call", *bus, "org.freedesktop.DBus.Debug.Stats",
                                 "GetAllMatchRules").stdout
        return sum(bool(re.search(rf"sender=\\'({NAME}|{owner})\\'", part)) for part in rules.split('" ":1.'))

    def test_2_the_bus_activates_the_unit(self):
        self.machine.run("systemctl", "stop", "vmherald.service")
        self.assertEqual("inactive", self.machine.show("vmherald.service", "ActiveState"))
        root = self.person("root")
        self.assertEqual("running", root.manager("ListDomains", "(a{sv})", {})[0][3])
        self.assertEqual("active", self.machine.run("systemctl", "is-active", "vmherald").stdout.strip())
        owner = root.call("/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixProcessID", "(s)", NAME,
                          destination="org.freedesktop.DBus")
        self.assertEqual(owner, self.service_pid())
        self.assertEqual(["vmherald.service"], self.machine.run("ps", "-o", "unit=", str(owner)).stdout.split())

    def test_3_the_unit_is_hardened(self):
        """The figure is told, and that of the unit file must not become worse unseen."""
        out = self.machine.run("systemd-analyze", "security", "--no-pager", "vmherald.service").stdout
        figure = re.search(r"Overall exposure level for vmherald.service: ([0-9.]+) (\S+)", out)
        self.assertTrue(figure, out)
        system_case.measured(f"systemd-analyze security: {figure.group(1)} {figure.group(2)}")
        self.assertLessEqual(float(figure.group(1)), EXPOSURE_MAX)

    def test_4_people_find_what_they_need(self):
        """Programs, man pages, completions, and that nothing of them is empty."""
        files = self.machine.run("sh", "-c", "dpkg -L vmherald libvmherald0").stdout.split()
        for path in ("/usr/bin/vmheraldctl", "/usr/share/bash-completion/completions/vmheraldctl"):
            self.assertIn(path, files)
        for page in ("man1/vmheraldctl.1", "man8/vmherald.8", "man5/vmherald.conf.5"):
            self.assertIn(f"/usr/share/man/{page}.gz", files)
        self.assertEqual("", self.machine.run("dpkg", "--verify", "vmherald", "libvmherald0").stdout)


if __name__ == "__main__":
    system_case.main()
