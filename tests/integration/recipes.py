# SPDX-License-Identifier: LGPL-2.1-or-later
"""One of QEMU's events at a time: a real QEMU is made to emit it, and the signal that tells it is looked
at in every part.

A case is named after the event: test_block_job_ready. Cases of a class share a machine, in any order;
docs/events.md refers to them by name."""
import time

import harness
import life
from harness import Connection, GLib, Recorder, folder

STAMP_AND_DETAILS = "(ttt)a{sv}"
PATIENCE = 20.0                  # seconds for a signal; what QEMU holds back it does for one


class Any:
    """Equal to everything: for an argument that is looked at by other means."""

    def __eq__(self, _other):
        return True

    def __repr__(self):
        return "ANY"


ANY = Any()


def boolean(value):
    return GLib.Variant("b", value)


def int64(value):
    return GLib.Variant("x", value)


def uint64(value):
    return GLib.Variant("t", value)


def text(value):
    return GLib.Variant("s", value)


def now():
    """Microseconds since 1970, as in stamps."""
    return time.time_ns() // 1000


class TypedRecorder(Recorder):
    """Keeps the details of each signal with their types: typed[i] belongs to signals[i]. As those of a
    Signal, without domain-previous."""

    def __init__(self):
        self.typed = []
        super().__init__()

    def _arrived(self, bus, sender, path, interface, member, parameters):
        super()._arrived(bus, sender, path, interface, member, parameters)
        if len(self.typed) < len(self.signals):
            self.typed.append(self._details(parameters))

    @staticmethod
    def _details(parameters):
        if not parameters.get_type_string().endswith(STAMP_AND_DETAILS + ")"):
            return None
        details = parameters.get_child_value(parameters.n_children() - 1)
        entries = [details.get_child_value(i) for i in range(details.n_children())]
        return {entry.get_child_value(0).get_string(): entry.get_child_value(1).get_variant()
                for entry in entries if entry.get_child_value(0).get_string() != "domain-previous"}


class EventCase(harness.ServiceCase):
    """Cases with one machine, self.domain, which is started before the first of them."""

    paused = True

    @classmethod
    def keys(cls):
        """Of the definition of the machine, besides those of harness.definition()."""
        return {}

    @classmethod
    def setUpClass(cls):
        cls.recorder = TypedRecorder()
        cls.addClassCleanup(cls.recorder.close)
        cls.connection = Connection()
        cls.addClassCleanup(cls.connection.close)
        first = cls()
        cls.addClassCleanup(first.remove_domains)
        cls.domain = first.start(cls.__name__.lower(), **cls.keys())

    def setUp(self):
        self.since = self.mark()
        self.began = now()

    def tearDown(self):
        """Whatever was sent up to now is in order, and all of it typed and as QEMU promises."""
        self.mark()
        life.check_stamps(self, self.recorder.events())
        self.assertEqual([], self.recorder.find("Monitor.Event"))
        self.assertEqual([], [s for s in self.recorder.events() if "irregular" in s.details])
        self.assertEqual(0, self.domain.get("Monitor", "IrregularEvents"))

    def start(self, name, **keys):
        domain = self.define(name, **keys)
        domain.start(paused=self.paused)
        return domain

    def mark(self):
        """An index for since: what comes from now on."""
        life.settle(self.connection, self.recorder)
        return len(self.recorder.signals)

    def wait(self, name, *arguments):
        """The first signal with these arguments since the case began."""
        try:
            return self.recorder.wait(name, *arguments, path=self.domain.path, since=self.since,
                                      deadline=PATIENCE)
        except AssertionError as error:
            # That text was made before the wait.
            seen = [s[1:3] + s[4:] for s in self.recorder.signals[self.since:]
                    if s.path == self.domain.path]
            raise AssertionError(f"no {name}{arguments}, but {seen}") from error

    def of_domain(self, name):
        """The signals of that name since the case began."""
        return self.recorder.find(name, path=self.domain.path, since=self.since)

    def expect(self, name, types, *arguments, details=None, optional=None):
        """Waits for the first signal with these arguments since the case began, and looks at the rest of it:
        types are those of the arguments; details are all that there are: a GLib.Variant, or its type
        string where the value is not known; optional: key -> type of those that need not be there."""
        signal = self.wait(name, *arguments)
        self.check(signal, types, arguments, details, optional)
        return signal

    def expect_life(self, event, reason, state, **details):
        details["name"] = text(self.domain.name)
        return self.expect("Domain.Lifecycle", "sss", event, reason, state, details=details)

    def check(self, signal, types, arguments, details=None, optional=None):
        self.assertEqual(types + STAMP_AND_DETAILS, signal.signature, signal)
        self.assertEqual(arguments, signal.arguments[:-2])
        self.assertLessEqual(self.began, signal.time, signal)
        self.assertLessEqual(signal.time, now(), signal)
        typed = dict(self.recorder.typed[self.recorder.signals.index(signal)])
        for key, type_string in (optional or {}).items():
            if key in typed:
                self.assertEqual(type_string, typed.pop(key).get_type_string(), key)
        expected = details or {}
        self.assertEqual(sorted(expected), sorted(typed), signal)
        for key, value in expected.items():
            if isinstance(value, str):
                self.assertEqual(value, typed[key].get_type_string(), key)
            else:
                self.assertEqual(value.print_(True), typed[key].print_(True), key)


def place(name):
    """Path of a file or socket of that name, in the folder of this run."""
    return f"{folder()}/{name}"
