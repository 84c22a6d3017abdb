# SPDX-License-Identifier: LGPL-2.1-or-later
"""A case in which somebody asks for something that cannot be. refuse() sees to it that this has one clear
error and no other consequence: what there is before is there after, and nothing more."""
import json
import os

import harness
from harness import NAME, PATH, Domain, options, wait_until
from processes import processes_of, qemus_of

DEFINITIONS = os.path.join("config", "vmherald", "domains")
RUNS = os.path.join("runtime", "vmherald", "domains")
STATE = os.path.join("state", "vmherald")


def service_folder(kind):
    """DEFINITIONS, RUNS or STATE, wherever this run has it."""
    return os.path.join(harness.folder(), kind)


def read_tree(place):
    """Path -> content of each file, None for folders and what else is no file."""
    found = {}
    for folder, folders, files in os.walk(place):
        for name in folders:
            found[os.path.join(folder, name)] = None
        for name in files:
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    found[path] = file.read()
            except OSError:
                found[path] = None
    return found


def write_program(name, text, mode=0o755):
    """A script to be taken for QEMU; returns its path."""
    path = os.path.join(harness.folder(), name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
    return path


def note(text):
    """A line beside the verdicts, for people."""
    with open(os.path.join(harness.folder(), "tap"), "w", encoding="utf-8") as tap:
        tap.write(f"# {text}\n")


class BadCase(harness.ServiceCase):
    def setUp(self):
        super().setUp()
        # A service that is up and has asked its emulators: no more processes come by themselves.
        wait_until(lambda: self.connection.get(PATH, f"{NAME}.Manager", "Emulators"),
                   "the emulators to be asked")
        self.owner = self.connection.service_owner()

    def look(self):
        """Everything a domain consists of: objects, files. The state folder has one file whose content
        counts events; and two things that stay on purpose, logs and what is known of emulators."""
        kept = tuple(service_folder(STATE) + name for name in ("/log", "/emulators.json"))
        wait_until(lambda: not any(path.endswith(".tmp")
                                   for path in read_tree(service_folder(RUNS))),
                   "the files of the runs to be whole")
        return {
            "objects": {path: interfaces[f"{NAME}.Domain"]["State"]
                        for path, interfaces in self.connection.managed_objects().items()},
            "definitions": read_tree(service_folder(DEFINITIONS)),
            "runs": sorted(read_tree(service_folder(RUNS))),
            "state": sorted(path for path in read_tree(service_folder(STATE))
                            if not path.startswith(kept)),
        }

    def assert_served(self):
        """The service is the one it was, and answers."""
        self.manager("ListDomains", "(a{sv})", {})
        self.assertEqual(self.owner, self.connection.service_owner())

    def refuse(self, error_name, words, function, *arguments, **keys):
        """function fails with that error, whose text has all these words, and nothing else happens.
        Returns the text."""
        self.maxDiff = None
        before = self.look()
        processes = set(processes_of(harness.folder()))
        message = self.assert_fails(error_name, function, *arguments, **keys)
        self.assertEqual(before, self.look())
        left = set(processes_of(harness.folder())) - processes
        self.assertEqual(set(), left)
        self.assert_served()
        for word in words:
            self.assertIn(word, message)
        return message

    def define_text(self, text, **values):
        return self.manager("DefineDomain", "(sa{sv})", text, options(**values))

    def create_text(self, text, **values):
        return self.manager("CreateDomain", "(sa{sv})", text, options(**values))

    def create_paused(self, name, **keys):
        """A domain whose guest has not run its first instruction, and will not."""
        path = self.create_text(json.dumps(harness.definition(name, **keys)), paused=True)
        return Domain(self.connection, path, name)

    def mark(self):
        """An index for since=: behind all signals that the service has sent up to now. What it sends
        before it answers us has been handed to the recorder when the bus answers that one too."""
        self.recorder.connection.call_bus("GetId")
        return len(self.recorder.signals)

    def stamped(self, since=0):
        """The events of all domains up to now, since a mark."""
        self.mark()
        return [s for s in self.recorder.signals[since:]
                if s.interface.startswith(NAME + ".") and s.signature.endswith("(ttt)a{sv}")]

    def events(self, domain, since=0):
        """Lifecycle events of a domain up to now as (event, reason)."""
        self.mark()
        return [s.arguments[:2] for s in self.recorder.signals[since:]
                if s.name == "Domain.Lifecycle" and s.path == domain.path]

    def assert_ended(self, domain):
        """Not a trace of a run."""
        self.assertEqual("shut-off", domain.state)
        self.assertEqual(0, domain.get("Domain", "PID"))
        self.assertEqual([], sorted(read_tree(service_folder(RUNS))))
        self.assertEqual([], qemus_of(harness.folder()))
