#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What bash offers, with words split as bash splits them."""

import os
import shlex
import subprocess
import unittest

import tap
from fake_service import FakeService, PrivateBus

# words before the cursor, the last one half typed: what must be offered, what must not
CASES = [
    (["st"], {"start"}, {"stop", "list"}),
    ([""], {"list", "create", "reload"}, {"vm"}),
    (["--sys"], {"--system"}, {"--session", "--state="}),
    (["list", "--"], {"--state=", "--json"}, {"--grace="}),
    (["list", "--state", "=", "shut"], {"shut-off"}, {"running"}),
    (["list", "--state", "="], {"shut-off", "running"}, set()),
    (["list", "--state", "ru"], {"running"}, {"paused"}),
    (["start", ""], {"vm", "web"}, {"list"}),
    (["start", "--paused", "w"], {"web"}, {"vm"}),
    (["--address", "=", "x", "start", "w"], {"web"}, {"vm"}),
    (["shutdown", "--timeout", "5", "w"], {"web"}, {"vm"}),
    (["shutdown", "--timeout", "=", "5", "w"], {"web"}, {"vm"}),
    (["events", ""], {"vm", "web"}, set()),
    (["events", "--pos"], {"--position-file="}, set()),
    (["events", "--position-file", "=", "x"], {"x.json"}, {"vm"}),
    (["events", "--after", "=", ""], {"now", "oldest"}, {"vm"}),
    (["wait", "vm", "sto"], {"stopped"}, {"started"}),
    (["cancel-job", "vm", "m0", "--f"], {"--force"}, {"--grace="}),
    (["change-media", "w"], {"web"}, {"vm"}),
    (["change-media", "--force", "vm", "cd0", "x"], {"x.json"}, {"y.qcow2"}),
    (["threshold", ""], {"vm", "web"}, {"x.json"}),
    (["balloon", "v"], {"vm"}, {"web"}),
    (["autostart", "vm", "o"], {"on", "off"}, set()),
    (["define", "x"], {"x.json"}, {"y.qcow2"}),
    (["adopt", "x"], {"x.json"}, {"vm"}),
    (["adopt", "vm", "y"], {"y.qcow2"}, {"x.json"}),
    (["adopt", "--t"], {"--timeout="}, set()),
    (["create", "new", "--disk", "=", "y"], {"y.qcow2"}, {"x.json"}),
    (["create", "new", "--net", "=", "m"], {"macvtap"}, {"user"}),
    (["attach", "vm", "--interface", ""], {"user", "none", "tap", "bridge", "macvtap"}, {"x.json"}),
    (["nics", "w"], {"web"}, {"vm"}),
    (["frobnicate", ""], set(), {"vm"}),
    (["list", ""], set(), {"vm"}),
]


class Completion(unittest.TestCase):
    def test_cases(self):
        bus = PrivateBus()
        self.addCleanup(bus.stop)
        fake = FakeService(bus)
        self.addCleanup(fake.stop)
        fake.domains = {"0f4f6a8e-3a34-4c8c-9ad7-f30a4bd0a5d1": ["vm", "running"],
                        "11111111-2222-3333-4444-555555555555": ["web", "shut-off"]}
        for name in ("x.json", "y.qcow2"):
            with open(os.path.join(bus.folder.name, name), "w", encoding="utf-8"):
                pass
        path = os.path.dirname(tap.PROGRAM) + ":" + os.environ["PATH"]
        for words, offered, not_offered in CASES:
            with self.subTest(" ".join(words)):
                script = (f"source {shlex.quote(os.environ['VMHERALD_COMPLETION'])}\n"
                          f"COMP_WORDS=(vmheraldctl {shlex.join(words)})\nCOMP_CWORD={len(words)}\n"
                          "_vmheraldctl || exit\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n")
                done = subprocess.run(["bash", "-u", "-c", script], capture_output=True, text=True,
                                      cwd=bus.folder.name, timeout=tap.DEADLINE, check=True,
                                      env=tap.environment(PATH=path, DBUS_SESSION_BUS_ADDRESS=bus.address))
                words_offered = set(done.stdout.split())
                self.assertEqual(done.stderr, "")
                self.assertLessEqual(offered, words_offered)
                self.assertFalse(not_offered & words_offered)


if __name__ == "__main__":
    tap.main()
