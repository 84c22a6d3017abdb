# SPDX-License-Identifier: LGPL-2.1-or-later
"""From one version to the next, over a reboot of the host, and until nothing is left. One story: the cases go on where the last one
has ended."""
import signal
import time

import system_case
from machine import PACKAGES, wait_until

NEXT_VERSION = "+next"
UNIT, SOON = "/lib/systemd/system/vmherald.service", "soon.conf"
# In the machine: the packages once more, as the version to come. $1: what is added to their version.
REPACK = """
mkdir /next
for deb in {packages}/vmherald_*.deb {packages}/libvmherald0_*.deb; do
	place=/next/$(basename "$deb" .deb)
	dpkg-deb --raw-extract "$deb" "$place"
	sed -i "s/^Version: .*/&$1/" "$place/DEBIAN/control"
	dpkg-deb -Zgzip -z1 --build "$place" "$place.deb"
done
"""
# Whose files may have the name in theirs when the package has gone: the system's own records.
RECORDS = ("/var/log/journal/", "/var/cache/", "/var/lib/apt/", "/packages/", "/next/", "/proc/", "/sys/",
           "/etc/systemd/system/multi-user.target.wants/", "/run/systemd/", "/var/lib/systemd/", "/run/log/journal/")


class Lifecycle(system_case.SystemCase):
    pids = {}

    def setUp(self):
        self.root = self.person("root")

    def states(self):
        return {row[1]: row[3] for row in self.root.manager("ListDomains", "(a{sv})", {})}

    def domain_of(self, name):
        return self.root.manager("GetDomain", "(s)", name)

    def assert_guests_are_the_same(self):
        for name, pid in self.pids.items():
            with self.subTest(domain=name):
                self.assertTrue(self.machine.exists(f"/proc/{pid}/exe"))
                path = self.domain_of(name)
                wait_until(lambda: self.root.get(path, "Monitor", "Connected"), f"{name} to be connected")
                self.assertEqual(pid, self.root.get(path, "Domain", "PID"))

    def test_1_guests_run(self):
        for name, autostart in (("web1", True), ("web2", False)):
            path = self.define(name, self.root, autostart=autostart)
            self.root.domain(path, "Start", "(a{sv})", {})
            self.pids[name] = self.root.get(path, "Domain", "PID")

    def test_2_upgrade(self):
        """The package is upgraded while guests run: a new service, and the same guests."""
        self.machine.run("sh", "-ec", REPACK.replace("{packages}", PACKAGES), "repack", NEXT_VERSION)
        service = self.service_pid()
        begun = time.monotonic()
        self.machine.run("sh", "-ec", "apt-get install -y /next/*.deb 2>&1")
        system_case.measured(f"upgraded in {time.monotonic() - begun:.1f} s")
        version = self.machine.run("dpkg-query", "--show", "--showformat=${Version}", "vmherald").stdout
        self.assertTrue(version.endswith(NEXT_VERSION), version)
        self.root.manager("ListDomains", "(a{sv})", {})
        self.assertNotIn(self.service_pid(), (0, service))
        self.assert_guests_are_the_same()

    def test_3_remove_and_install_again(self):
        """Guests go on without the service, and it finds them when it is there again."""
        self.machine.run("sh", "-c", "apt-get remove -y vmherald 2>&1")
        for name, pid in self.pids.items():
            self.assertTrue(self.machine.exists(f"/proc/{pid}/exe"), name)
        self.machine.run("sh", "-ec", "apt-get install -y /next/*.deb 2>&1")
        self.assert_guests_are_the_same()

    def test_4_reboot(self):
        """What is to start with the host does so before anybody calls; definitions and logs are there, and numbers go on."""
        last = self.root.get("/org/vmherald/Domains1", "Manager", "LastSequence")
        # Guests are asked to shut down, and these have nothing that would: they are waited for in vain.
        start = self.machine.read(UNIT).partition("\nExecStart=")[2].partition("\n")[0]
        self.machine.write(f"/etc/systemd/system/vmherald.service.d/{SOON}",
                           f"[Service]\nExecStart=\nExecStart={start} --shutdown-timeout=1\n")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "restart", "vmherald.service")
        begun = time.monotonic()
        self.machine.reboot()
        system_case.measured(f"rebooted in {time.monotonic() - begun:.1f} s, with {len(self.pids)} guests")
        self.root = self.person("root")
        wait_until(lambda: self.machine.run("pgrep", "qemu-system", check=False).stdout, "the guest that starts with the host")
        wait_until(lambda: self.states() == {"web1": "running", "web2": "shut-off"}, self.states)
        self.assertGreater(self.root.get("/org/vmherald/Domains1", "Manager", "LastSequence"), last)
        for name in self.pids:
            log = self.root.get(self.domain_of(name), "Domain", "LogDirectory")
            self.assertIn("qemu.log", self.machine.run("ls", log).stdout)

    def test_5_purge_spares_guests(self):
        """While one runs, nothing that it needs is removed."""
        purged = self.machine.run("sh", "-c", "apt-get purge -y vmherald 2>&1", check=False)
        self.assertNotEqual(0, purged.returncode)
        self.assertIn("guest", purged.stdout)
        pid = int(self.machine.run("pgrep", "qemu-system").stdout)
        self.assertTrue(self.machine.exists(f"/proc/{pid}/exe"))
        self.machine.run("rm", "-r", "/etc/systemd/system/vmherald.service.d")
        self.machine.run("kill", f"-{int(signal.SIGKILL)}", str(pid))
        wait_until(lambda: not self.machine.exists(f"/proc/{pid}"), "the guest to end")

    def test_6_purge_leaves_nothing(self):
        self.machine.run("sh", "-c", "apt-get purge -y vmherald libvmherald0 2>&1")
        left = self.machine.run("find", "/", "-xdev", "(", "-path", "/proc", "-o", "-path", "/sys", ")", "-prune", "-o",
                                "-iname", "*vmherald*", "-print").stdout.splitlines()
        self.assertEqual([], [path for path in left if not path.startswith(RECORDS)])
        self.assertEqual("not-found", self.machine.show("vmherald.service", "LoadState"))
        names = self.machine.run("busctl", "--system", "list", "--no-pager").stdout
        self.assertNotIn("vmherald", names)
        self.assertEqual("running", self.machine.run("systemctl", "is-system-running", check=False).stdout.strip())


if __name__ == "__main__":
    system_case.main()
