# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a subscriber knows who makes no call: the domains with all their properties, from the signals
alone; and the rules that the stream of signals keeps.

Feed Picture.take() with each signal (client.Signal) in order, Picture.service_gone() when the name has lost its
owner. A rule that is broken raises soak_model.Violation."""
from client import NAME, OBJECT_MANAGER, PATH, PROPERTIES
from soak_model import Violation

LIFECYCLE = f"{NAME}.Domain"

# Lifecycle: from each place in the life of a domain the events that may come, and where they lead. None: it stays.
LIFE = {
    "off": {"starting": "starting"},
    "starting": {"started": "active", "stopped": "off"},
    "active": {"suspended": "paused", "resumed": "active", "shutdown": "ending",
               "pm-suspended": "asleep", "crashed": "crashed", "stopped": "off"},
    "paused": {"resumed": "active", "suspended": "paused", "shutdown": "ending", "stopped": "off"},
    "asleep": {"started": "active", "resumed": "active", "suspended": "paused", "shutdown": "ending",
               "stopped": "off"},
    "crashed": {"resumed": "active", "suspended": "paused", "shutdown": "ending", "stopped": "off"},
    "ending": {"stopped": "off", "suspended": "paused", "resumed": "active"},
    # Found by a new service: anything may have happened that was not told.
    "found": {"starting": "starting", "started": "active", "suspended": "paused",
              "resumed": "active", "shutdown": "ending", "pm-suspended": "asleep", "crashed": "crashed",
              "stopped": "off"},
}
PLACE_OF_STATE = {"shut-off": "off", "starting": "starting", "running": "active",
                  "paused": "paused", "pm-suspended": "asleep", "shutting-down": "ending",
                  "crashed": "crashed", "unknown": "found"}


class Picture:
    def __init__(self):
        self.objects = {}                # path -> interface -> property -> value
        self.sequence = None             # of the last signal
        self.previous = {}               # (path, interface, member) -> sequence
        self.fresh = set()               # those of them that this service has told
        self.lost = []                   # (first, last): sequences that a kill has kept from us
        self.life = {}                   # path -> place in LIFE
        self.at_start = False            # of a service: what was found is told
        self.after_gap = True            # the numbers may go on anywhere above
        self.expect_gap = False
        self.holes = 0
        self.signals = 0
        self.ahead = set()               # paths that were shown in the state after what is told of them yet
        self.unknown = set()             # paths whose monitor was lost since the last quiet point

    def get(self, path, interface, name):
        return self.objects[path][f"{NAME}.{interface}"][name]

    def service_gone(self, killed):
        """killed: without a chance to send what had a number already."""
        self.objects = {}
        self.fresh = set()
        self.life = {}
        self.ahead = set()
        self.expect_gap = self.expect_gap or killed
        self.at_start = True

    # ---- one signal ----

    def take(self, signal):
        if signal.interface == OBJECT_MANAGER:
            path, body = signal.arguments
            if signal.member == "InterfacesAdded":
                self._added(path, body)
            else:
                self._removed(path, body)
        elif signal.interface == PROPERTIES:
            self._changed(signal)
        elif signal.interface.startswith(NAME + ".") and signal.signature.endswith("(ttt)a{sv}"):
            self._event(signal)

    def _added(self, path, interfaces):
        if path in self.objects:
            raise Violation(f"{path}: InterfacesAdded twice")
        if not self.at_start:
            self._forget_numbers(path)
        self.objects[path] = {interface: dict(values) for interface, values in interfaces.items()
                              if interface.startswith(NAME + ".")}
        place = PLACE_OF_STATE[interfaces[LIFECYCLE]["State"]]
        if place == "found":
            self.unknown.add(path)
        # A new service tells what it found, and then what led to it.
        self.life[path] = "found" if self.at_start else place
        if self.at_start:
            self.ahead.add(path)

    def _removed(self, path, interfaces):
        if path not in self.objects and path not in self.life:
            raise Violation(f"{path}: InterfacesRemoved without InterfacesAdded")
        missing = set(self.objects.get(path, ())) - set(interfaces)
        if missing:
            raise Violation(f"{path}: InterfacesRemoved does not name {missing}")
        self.objects.pop(path, None)
        self.life.pop(path, None)
        self._forget_numbers(path)

    def _forget_numbers(self, path):
        """Of an object that is another one."""
        self.previous = {key: value for key, value in self.previous.items() if key[0] != path}

    def _changed(self, signal):
        interface, values, invalidated = signal.arguments
        if signal.path == PATH:
            return
        if signal.path not in self.objects:
            raise Violation(f"{signal.path}: PropertiesChanged of an object that is not there")
        known = self.objects[signal.path][interface]
        for name, value in values.items():
            if name not in known:
                raise Violation(f"{signal.path}: {interface}.{name} changed, but was not announced")
            known[name] = value
        for name in invalidated:
            if name in known:
                raise Violation(f"{signal.path}: {interface}.{name} was told without its value")
        if "State" in values:
            self.ahead.discard(signal.path)
        if values.get("State") == "unknown":
            self.unknown.add(signal.path)

    def _event(self, signal):
        self._check_stamp(signal)
        if signal.name == "Monitor.Lost":
            self.unknown.add(signal.path)
        if signal.name == "Domain.Lifecycle":
            self._lifecycle(signal)

    # ---- rules ----

    def _check_stamp(self, signal):
        self.signals += 1
        if self.sequence is not None:
            expected = self.sequence + 1
            if signal.sequence < expected:
                raise Violation(f"sequence {signal.sequence} after {self.sequence}: {signal}")
            if signal.sequence > expected and not self.expect_gap:
                raise Violation(f"{signal.sequence - expected} signals before {signal} are missing")
            self.holes += signal.sequence - expected
            if signal.sequence > expected:
                self.lost.append((expected, signal.sequence - 1))
        self.expect_gap = False
        self.sequence = signal.sequence
        key = (signal.path, signal.interface, signal.member)
        if signal.previous != self.previous.get(key, 0) and not self._may_follow(key, signal.previous):
            raise Violation(f"previous is {signal.previous} and not {self.previous.get(key, 0)}: "
                            f"{signal}")
        self.previous[key] = signal.sequence
        self.fresh.add(key)

    def _may_follow(self, key, previous):
        """After a kill: the one before is among those that we did not get, or the domain is a new one since."""
        return key not in self.fresh and any(
            previous == 0 or first <= previous <= last for first, last in self.lost)

    def _lifecycle(self, signal):
        event, _, state = signal.arguments[:3]
        if event in ("defined", "undefined"):
            return
        # A transient domain that ended while the service was away is told of, but is not there.
        place = self.life.get(signal.path, "found" if self.at_start else "off")
        following = LIFE[place].get(event)
        if not following:
            raise Violation(f"{event} in the place '{place}' of the life of {signal}")
        self.life[signal.path] = following
        if signal.path not in self.objects:
            return
        shown = self.get(signal.path, "Domain", "State")
        if shown == state:
            self.ahead.discard(signal.path)
        elif signal.path not in self.ahead:
            raise Violation(f"State was told as {shown} before {signal}")

    # ---- quiet points ----

    def differences(self, managed):
        """Where GetManagedObjects() says something else; managed as it was answered."""
        found = []
        shown = {path: {interface: values for interface, values in interfaces.items()
                        if interface.startswith(NAME + ".")}
                 for path, interfaces in managed.items()}
        for path in set(shown) | set(self.objects):
            mine, theirs = self.objects.get(path), shown.get(path)
            if mine is None or theirs is None:
                found.append(f"{path}: {'not told of' if mine is None else 'told of, but gone'}")
                continue
            for interface in set(mine) | set(theirs):
                for name in set(mine.get(interface, ())) | set(theirs.get(interface, ())):
                    told = mine.get(interface, {}).get(name)
                    asked = theirs.get(interface, {}).get(name)
                    if told != asked:
                        found.append(f"{path}: {interface}.{name} was told as {told!r}, and is "
                                     f"{asked!r}")
        return found

    def quiet(self):
        """Everything is known and nothing under way."""
        self.at_start = False
        self.unknown = set()
        for path, place in self.life.items():
            if place == "found":
                self.life[path] = PLACE_OF_STATE[self.get(path, "Domain", "State")]
