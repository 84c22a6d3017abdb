# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service as it is on the system bus, on a bus of its own: as root, with folders of the test's, and with a QEMU that is somebody
else. Polkit is not here, and root is not asked."""
import grp
import json
import os
import pwd

import harness
from harness import Domain, folder

QEMU_USER = "nobody"
FOLDERS = {variable: name for variable, name in (
    ("CONFIGURATION_DIRECTORY", "etc"), ("STATE_DIRECTORY", "lib"), ("RUNTIME_DIRECTORY", "run"), ("LOGS_DIRECTORY", "log"))}


def place(name, *names):
    """Below one of the service's folders: etc, lib, run, log."""
    return os.path.join(folder(), "system", name, *names)


def configure(*lines, user=QEMU_USER):
    with open(place("etc", "vmherald.conf"), "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in ("[QEMU]", f"User={user}", *lines)))


def set_up_system():
    """What the bus activates serves it as the system bus from now on; before the first call. Of setUpModule()."""
    if os.geteuid() != 0:
        return
    for name in FOLDERS.values():
        os.makedirs(place(name), 0o700)
    # Nobody may pass through root's folder here; on a real system the parents are open, and only the folders are root's.
    for path in (folder(), place("")):
        os.chmod(path, 0o711)
    configure()
    wrapper = os.path.join(folder(), "activated")
    with open(wrapper, encoding="utf-8") as file:
        script = file.read()
    variables = " ".join(f"{variable}={place(name)}" for variable, name in FOLDERS.items())
    changed = script.replace("exec ", f'exec env DBUS_SYSTEM_BUS_ADDRESS="$DBUS_SESSION_BUS_ADDRESS" {variables} ', 1)
    changed = changed.replace('"$@"', "--system")
    assert changed.count("--system") == 1, script
    with open(wrapper, "w", encoding="utf-8") as file:
        file.write(changed)


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def user():
    return pwd.getpwnam(QEMU_USER)


def groups():
    """All that QEMU may be in besides its own."""
    return {group.gr_gid for group in grp.getgrall() if group.gr_name == "kvm" and QEMU_USER in group.gr_mem}


class ConfinedCase(harness.ServiceCase):
    def setUp(self):
        if os.geteuid() != 0:
            self.skipTest("only root can start a QEMU as somebody else")
        super().setUp()

    def define(self, name, **keys):
        """Without the files of qtest, which QEMU could not make here."""
        document = {"name": name, "emulator": "qemu-system-x86_64", "machine": "pc", "accel": "tcg", "memory": "16M"}
        document.update({key.replace("_", "-"): value for key, value in keys.items()})
        path = self.manager("DefineDomain", "(sa{sv})", json.dumps(document), {})
        return Domain(self.connection, path, name)
