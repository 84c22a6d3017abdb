# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is done in a soak run: an endless list of steps that depends on its seed alone, not on what the
service makes of them. So a run can be repeated.

To be sensible more often than not, the plan imagines what each step leads to. A part of the steps is
nonsense on purpose, and some come before the one before them on the same domain is over."""
import random
from collections import namedtuple

Step = namedtuple("Step", "number slot action arguments overlap")
Step.__doc__ = """slot: index of the domain, None: the service. overlap: whatever of the domain is still under way."""
Step.__str__ = lambda step: (f"step {step.number}: {step.action}{step.arguments}" +
                             (" at once" if step.overlap else ""))

ROUND_STEPS = 60                 # between two looks at everything
KILLING_ROUNDS = (True, True, False, False, False)   # whether the service is killed, by turns
SERVICE_STEPS = 0.08             # so many of all steps concern the service
HURRY = 0.2                      # so many do not wait for the one before
DEVICES = ("d0", "d1", "d2")

# What is done in each imagined state, with weights.
WEIGHTS = {
    "absent": {"define": 60, "create": 30, "start": 2, "destroy": 2, "undefine": 2, "query": 2},
    "off": {"start": 46, "start-paused": 10, "undefine": 7, "define": 8, "rename": 5,
            "set-autostart": 6, "edited": 4, "file-removed": 3, "drop-saved": 2, "suspend": 2,
            "destroy": 2, "create": 2, "vanish-start": 3},
    "running": {"suspend": 20, "stop": 5, "foreign-stop": 4, "destroy": 12, "kill": 7, "quit": 5,
                "shutdown": 6, "reset": 5, "reboot": 2, "query": 6, "hang": 6, "yank": 4,
                "steal": 3, "save": 6, "define": 4, "undefine": 3, "start": 2, "set-autostart": 3,
                "resume": 2, "vanish-suspend": 3, "vanish-destroy": 2, "file-removed": 1},
    "paused": {"resume": 34, "cont": 8, "foreign-cont": 4, "destroy": 8, "kill": 6, "quit": 3,
               "reset": 3, "hang": 4, "yank": 3, "save": 4, "suspend": 2, "shutdown": 2,
               "query": 4, "vanish-resume": 3},
}
DEVICE_WEIGHTS = {"attach": 40, "detach": 30}
SERVICE_WEIGHTS = {"reload": 30, "hangup": 10, "garbage": 40, "idle-client": 10}
KILL_WEIGHTS = {"service-kill": 12, "service-term": 5}
# They are over before anything else is done to the domain.
PATIENT = {"edited", "file-removed", "save", "rename", "reboot", "foreign-stop", "foreign-cont"}
# Done while QEMU hangs: what waits, what does not wait for long, and what does not need QEMU.
WHILE_HUNG = {"query": 30, "suspend": 15, "resume": 5, "destroy": 8, "kill": 8, "set-autostart": 5,
              "define": 5}


class Slot:
    """A domain as the plan imagines it."""

    def __init__(self, index, chooser):
        self.index = index
        self.has_bus = chooser.random() < 0.15       # a machine that devices can be plugged into
        self.restarts = chooser.random() < 0.3       # on-crash
        self.state = "absent"
        self.transient = False
        self.name = 0
        self.saved = False
        self.autostart = False
        self.devices = set()
        self.hung_steps = 0                          # until it goes on
        self.patient = False                         # the last step is waited for, whatever comes


class Plan:
    def __init__(self, seed, count):
        self.random = random.Random(seed)
        self.slots = [Slot(index, self.random) for index in range(count)]
        self.number = 0
        self.round = 0
        self.revision = 0

    def _choose(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def round_steps(self):
        """The steps until the next look at everything."""
        steps = []
        kills = KILLING_ROUNDS[self.round % len(KILLING_ROUNDS)]
        for _ in range(ROUND_STEPS):
            self._let_go_on(steps, 1)
            if self.random.random() < SERVICE_STEPS:
                self._add(steps, None, *self._service_step(kills))
            else:
                self._domain_step(steps, self.random.choice(self.slots))
        # Nobody is left hanging.
        self._let_go_on(steps, ROUND_STEPS)
        self.round += 1
        return steps

    def _add(self, steps, slot, action, *arguments, overlap=False):
        self.number += 1
        steps.append(Step(self.number, slot.index if slot else None, action, arguments, overlap))

    def _let_go_on(self, steps, passed):
        for slot in self.slots:
            if slot.hung_steps:
                slot.hung_steps = max(0, slot.hung_steps - passed)
                if not slot.hung_steps:
                    self._add(steps, slot, "go-on", overlap=True)

    def _service_step(self, kills):
        action = self._choose({**SERVICE_WEIGHTS, **KILL_WEIGHTS} if kills else SERVICE_WEIGHTS)
        if action == "garbage":
            return action, self.random.randrange(1000)
        if action in ("reload", "hangup"):
            # Whatever has autostart runs then.
            for slot in self.slots:
                if slot.state == "off" and slot.autostart:
                    slot.state = "running"
        return (action,)

    def _domain_step(self, steps, slot):
        if slot.hung_steps:
            action = self._choose(WHILE_HUNG)
        else:
            weights = dict(WEIGHTS[slot.state])
            if slot.has_bus and slot.state in ("running", "paused"):
                weights.update(DEVICE_WEIGHTS)
            action = self._choose(weights)
            # Devices that were plugged in are not in the definition that is restored.
            if action == "save" and slot.has_bus:
                action = "query"
            if action == "file-removed" and slot.saved:
                action = "drop-saved"
        arguments = self._arguments(slot, action)
        overlap = bool(slot.hung_steps) or (action not in PATIENT and not slot.patient and
                                            self.random.random() < HURRY)
        self._imagine(slot, action, arguments)
        slot.patient = action in PATIENT
        self._add(steps, slot, action, *arguments, overlap=overlap)

    def _next_revision(self):
        self.revision += 1
        return self.revision

    def _arguments(self, slot, action):
        if action == "define":
            return (slot.name, self._next_revision(), self.random.random() < 0.3)
        if action == "rename":
            return (1 - slot.name, self._next_revision(), False)
        if action == "edited":
            return (self._next_revision(),)
        if action == "set-autostart":
            return (self.random.random() < 0.5,)
        if action == "create":
            return (self.random.random() < 0.2,)
        if action in ("attach", "detach"):
            return (self.random.choice(DEVICES),)
        if action == "destroy":
            return (self.random.choice((0, 300000, None)),)       # grace, microseconds
        if action in ("shutdown", "reboot"):
            return (self.random.choice((0, 20000, 200000)),)      # timeout, microseconds
        if action == "kill":
            return (self.random.choice(("TERM", "KILL", "SEGV")),)
        if action == "query":
            return (self.random.choice((None, 100000)) if slot.hung_steps else None,)
        return ()

    def _imagine(self, slot, action, arguments):
        """What the step leads to if nothing comes in between."""
        active = slot.state in ("running", "paused")
        if action in ("start", "create", "start-paused", "vanish-start"):
            if slot.state == ("absent" if action == "create" else "off"):
                slot.state = "paused" if action == "start-paused" or arguments == (True,) \
                    else "running"
                slot.transient = action == "create"
                slot.devices = set()
                slot.autostart = slot.autostart and not slot.transient
                slot.saved = False
        elif action in ("define", "rename", "edited"):
            slot.state = "off" if slot.state == "absent" else slot.state
            slot.transient = False
            slot.autostart = bool(arguments[2:]) and arguments[2]
            if action == "rename" and not active:
                slot.name = arguments[0]
        elif action in ("undefine", "file-removed"):
            if slot.state == "off":
                slot.state = "absent"
                slot.name = 0
            elif action == "file-removed" and active:
                slot.transient = True
        elif action == "set-autostart":
            slot.autostart = arguments[0] and not slot.transient
        elif action == "drop-saved":
            slot.saved = False
        elif action == "hang":
            slot.hung_steps = self.random.randrange(2, 12)
        elif active:
            self._imagine_active(slot, action, arguments)

    @staticmethod
    def _imagine_active(slot, action, arguments):
        if action in ("suspend", "stop", "foreign-stop", "vanish-suspend"):
            slot.state = "paused"
        elif action in ("resume", "cont", "foreign-cont", "vanish-resume"):
            slot.state = "running"
        elif action == "attach":
            slot.devices.add(arguments[0])
        elif action == "detach":
            slot.devices.discard(arguments[0])
        elif action in ("destroy", "kill", "quit", "save", "vanish-destroy") or \
                (action == "shutdown" and slot.state == "running"):
            if action == "kill" and slot.restarts and arguments != ("TERM",):
                slot.state = "running"
            elif action != "save" or not slot.transient:
                slot.state = "absent" if slot.transient else "off"
                slot.name = 0 if slot.transient else slot.name
                slot.saved = action == "save"
            slot.devices = set()
