# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each call of libvmherald once, by a program in C that has nothing but the library, to a service with real QEMUs."""
import json
import os
import subprocess

import harness

PROGRAM = os.path.join(os.environ["VMHERALD_BUILD"], "tests", "client", "client-calls")


class Calls(harness.ServiceCase):
    def test_each(self):
        persistent = harness.definition("persistent", devices=[{"driver": "qemu-xhci", "id": "usb"},
                                                                {"driver": "VGA"}])
        transient = harness.definition("transient", machine="none")
        done = subprocess.run([PROGRAM, json.dumps(persistent), json.dumps(transient)], stdin=subprocess.DEVNULL,
                              capture_output=True, encoding="utf-8", check=False)
        self.assertEqual("", done.stderr)
        self.assertEqual(0, done.returncode)
        self.assertEqual({}, self.connection.managed_objects())


if __name__ == "__main__":
    harness.main()
