# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as it is on the system bus, started with --system on a bus of a case's own, where different users can be its
clients. polkit is played, and says yes to everybody."""
import contextlib
import json
import os
import pwd
import signal
import subprocess

import buses
import harness
from authority_bus import Polkit
from harness import ERROR, NAME, PATH, Connection, Gio, GLib, folder, wait_until

# Any two users: the bus refuses who is in no list of users.
ALICE, BOB = sorted(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid > 0)[:2]
# What malloc() keeps for later is no growth; what an attack holds for good would be a hundred times that.
GROWTH_MAX = 24 << 20


class SystemBus(buses.Bus):
    def __init__(self):
        super().__init__()
        configuration = os.path.join(folder(), "own-bus.conf")
        limits = {**buses.LIMITS, "max_connections_per_user": 2000, "max_completed_connections": 4000,
                  "max_message_unix_fds": 1000, "max_incoming_unix_fds": 4000}
        text = buses.CONFIGURATION.format(
            path=self.path, services="",
            limits="".join(f'<limit name="{name}">{value}</limit>' for name, value in limits.items()))
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(text.replace("<allow own=", '<allow user="*"/><allow own='))
        self.spawn(["dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile", "--nosyslog"])
        wait_until(self.can_connect, "the bus to be there")
        os.chmod(self.path, 0o777)


class UserConnection(Connection):
    """The bus asks the kernel who has connected, and that is who the thread was then."""

    def __init__(self, address, uid):  # pylint: disable=super-init-not-called
        flags = Gio.DBusConnectionFlags
        os.seteuid(uid)
        try:
            self.bus = Gio.DBusConnection.new_for_address_sync(
                address, flags.AUTHENTICATION_CLIENT | flags.MESSAGE_BUS_CONNECTION, None, None)
        finally:
            os.seteuid(0)

    def manager(self, member, signature="()", *arguments):
        return self.call(PATH, f"{NAME}.Manager", member, signature, *arguments)

    def names(self):
        return sorted(row[1] for row in self.manager("ListDomains", "(a{sv})", {}))


def document(name):
    return json.dumps(harness.definition(name, machine="none"))


class SystemServiceCase(harness.unittest.TestCase):
    CONFIGURATION = ()

    def setUp(self):
        os.chmod(folder(), 0o711)
        self.bus = SystemBus()
        self.addCleanup(self.bus.close)
        self.directories = {f"{kind}_DIRECTORY": os.path.join(folder(), f"system-{kind.lower()}")
                            for kind in ("CONFIGURATION", "STATE", "RUNTIME", "LOGS")}
        for path in self.directories.values():
            os.makedirs(path, 0o755, exist_ok=True)
        self.write(*self.CONFIGURATION)
        self.root = self.connect(0)
        self.play_polkit()
        self.process = None
        self.start()
        self.addCleanup(self.stop)
        self.addCleanup(self.remove_domains)

    def write(self, *lines):
        path = os.path.join(self.directories["CONFIGURATION_DIRECTORY"], "vmherald.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))

    def connect(self, uid):
        connection = UserConnection(self.bus.address, uid)
        self.addCleanup(connection.close)
        return connection

    def play_polkit(self):
        polkit = Polkit(self.bus, lambda *_: "yes")
        self.addCleanup(polkit.close)

    def start(self):
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.bus.address, **self.directories)
        self.process = subprocess.Popen([os.path.join(folder(), "activated"), "--system", "--idle-timeout=0"],
                                        env=environment, stdin=subprocess.DEVNULL)
        wait_until(self.root.service_runs, "the service to be on the bus")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.assertEqual(0, self.process.wait(harness.DEADLINE))

    def remove_domains(self):
        for path in self.root.managed_objects():
            self.root.call(path, f"{NAME}.Domain", "Undefine", "(a{sv})", {})

    def define(self, connection, name):
        return connection.manager("DefineDomain", "(sa{sv})", document(name), {})

    def assert_fails(self, error, function, *arguments):
        with self.assertRaises(GLib.Error) as context:
            function(*arguments)
        self.assertEqual(error, Gio.DBusError.get_remote_error(context.exception), context.exception.message)
        return context.exception.message

    def is_refused(self, connection):
        """Because he has too many calls pending."""
        try:
            connection.manager("ListDomains", "(a{sv})", {})
        except GLib.Error as error:
            self.assertEqual(f"{ERROR}LimitExceeded", Gio.DBusError.get_remote_error(error))
            return True
        return False

    # ---- what the service has ----

    def memory(self):
        """Resident, without what is a file's."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) << 10 for line in file if line.startswith("RssAnon:"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    @contextlib.contextmanager
    def no_growth(self, what):
        """Another client is served before, and at once afterwards."""
        self.assertEqual([], self.root.names())
        memory, descriptors = self.memory(), self.descriptors()
        yield
        self.assertEqual([], self.root.names())
        wait_until(lambda: self.descriptors() <= descriptors, "descriptors to be closed")
        grown = self.memory() - memory
        harness.note(f"measured: {what}: {grown >> 10} KiB more memory, no descriptor more")
        # The sanitizers keep freed memory to see who uses it.
        if os.environ.get("VMHERALD_SANITIZERS", "none") == "none":
            self.assertLess(grown, GROWTH_MAX)
