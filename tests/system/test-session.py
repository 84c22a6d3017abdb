# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who has a session needs nothing but the packages: a call starts the unit of the user's own service manager, without any
right, and without a word to the service on the system bus."""
import system_case
from machine import wait_until

# Of no group; and nobody logs in, so the service manager is asked to be there.
USER = "mallory"
NAME = system_case.NAME


class Session(system_case.SystemCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        uid = cls.machine.run("id", "--user", USER).stdout.strip()
        cls.runtime = f"/run/user/{uid}"
        cls.machine.run("loginctl", "enable-linger", USER)
        wait_until(lambda: cls.machine.exists(f"{cls.runtime}/bus"), "the bus of the session")

    def run_in_session(self, *command, **keys):
        return self.machine.run("env", f"XDG_RUNTIME_DIR={self.runtime}",
                                f"DBUS_SESSION_BUS_ADDRESS=unix:path={self.runtime}/bus", *command, user=USER, **keys).stdout

    def show(self, name):
        return self.run_in_session("systemctl", "--user", "show", "--value", f"--property={name}", "vmherald.service").strip()

    def pid_of(self, domain):
        lines = self.run_in_session("vmheraldctl", "show", domain).splitlines()
        return int(dict(line.split("\t", 1) for line in lines if "\t" in line)["PID"])

    def create(self, domain):
        self.run_in_session("vmheraldctl", "create", domain, "--machine", "none", "--accel", "tcg", "--memory", "16M")
        self.addCleanup(self.run_in_session, "vmheraldctl", "destroy", domain)
        return self.pid_of(domain)

    def test_a_call_starts_the_unit(self):
        self.run_in_session("systemctl", "--user", "stop", "vmherald.service")
        self.assertEqual("", self.run_in_session("vmheraldctl", "list"))
        self.assertEqual(("active", "static"), (self.show("ActiveState"), self.show("UnitFileState")))
        owner = self.run_in_session("busctl", "--user", "status", NAME)
        self.assertIn(f"PID={self.show('MainPID')}\n", owner)

    def test_guests_are_the_users_and_outlive_a_restart(self):
        pid = self.create("tour")
        self.assertEqual(USER, self.machine.run("stat", "--format=%U", f"/proc/{pid}").stdout.strip())
        service = self.show("MainPID")
        self.run_in_session("systemctl", "--user", "restart", "vmherald.service")
        self.assertNotEqual(service, self.show("MainPID"))
        self.assertEqual(pid, self.pid_of("tour"))
        # The connection was kept, and is.
        wait_until(lambda: "connection-kept" in self.machine.run(
            "journalctl", "--no-pager", "--output=cat", "_SYSTEMD_USER_UNIT=vmherald.service").stdout, "the journal to have it")
        wait_until(lambda: self.show("NFileDescriptorStore") == "1", "the connection to be kept")

    def test_it_is_another_service(self):
        """Neither sees what the other has."""
        self.create("mine")
        self.define("roots")
        self.addCleanup(self.remove_domains)
        self.assertIn("roots", self.machine.run("vmheraldctl", "--system", "list").stdout)
        self.assertNotIn("mine", self.machine.run("vmheraldctl", "--system", "list").stdout)
        self.assertNotIn("roots", self.run_in_session("vmheraldctl", "list"))


if __name__ == "__main__":
    system_case.main()
