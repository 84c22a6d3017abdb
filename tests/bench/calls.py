# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who calls (tests/bench/asker.c)."""
import contextlib
import json
import subprocess

import stage


class Asker(contextlib.AbstractContextManager):
    """target: name, path, interface, member; then how often, and with how many microseconds in between."""

    def __init__(self, *target):
        self.process = subprocess.Popen([stage.program("asker"), *map(str, target)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the asker has no bus")

    def said(self):
        text = self.process.communicate()[0]
        if self.process.returncode:
            raise AssertionError("a call has failed")
        return json.loads(text)

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Endless(Asker):
    """One call after the other, until it is left."""

    def __init__(self, *target):
        super().__init__(*target, 0)


def took(*target):
    """Milliseconds that each call took."""
    with Asker(*target) as asker:
        return [nanoseconds / 1e6 for nanoseconds in asker.said()["took"]]
