# SPDX-License-Identifier: LGPL-2.1-or-later
"""One of the domains of a soak run (test-soak.py)."""
import json
import os
import uuid
from collections import Counter, deque

import life
from harness import PATH, folder
from soak_model import Belief

HISTORY = 80                     # lines about each domain, for the report of a failure


class Target:
    """A domain: what is known of it beside the service."""

    def __init__(self, slot):
        self.index = slot.index
        self.has_bus = slot.has_bus
        self.restarts = slot.restarts
        self.uuid = str(uuid.uuid4())
        self.path = f"{PATH}/domain/_{self.uuid.replace('-', '_')}"
        self.belief = Belief()
        self.steps = 0                   # under way
        self.hung = None                 # pidfd of the QEMU that was stopped
        self.foggy = False               # its monitor was out of reach since the last quiet point
        self.deaths = deque()
        self.signals = Counter()         # sent to its QEMUs
        self.history = deque(maxlen=HISTORY)

    def name(self, number):
        return f"soak-{self.index}" + ("-b" if number else "")

    def document(self, number=0, revision=0, autostart=False):
        document = {
            "name": self.name(number),
            "uuid": self.uuid,
            "title": f"revision {revision}",
            "emulator": "qemu-system-x86_64",
            "machine": "q35" if self.has_bus else "none",
            "accel": "tcg",
            "memory": "16M",
            "autostart": autostart,
            "arguments": life.second_monitor(f"soak-{self.index}"),
        }
        if self.restarts:
            document["on-crash"] = "restart"
        if self.has_bus:
            # A processor that sleeps from its first instruction on.
            document["arguments"] += ["-bios", os.path.join(folder(), "sleep.bin")]
            document["devices"] = [{"driver": "qemu-xhci", "id": "usb"}]
        return json.dumps(document)

    def second_monitor(self):
        return life.SecondMonitor(f"soak-{self.index}")

    def files(self):
        """Of the definition: number of the name -> path."""
        paths = {number: os.path.join(life.definitions_folder(), self.name(number) + ".json")
                 for number in (0, 1)}
        return {number: path for number, path in paths.items() if os.path.exists(path)}


def saved_folder():
    return os.path.join(os.environ["XDG_STATE_HOME"], "vmherald", "saved")
