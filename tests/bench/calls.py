# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who calls (tests/bench/asker.c)."""
import json

import stage


class Asker(stage.Piped):
    """target: name, path, interface, member; then how often, and with how many microseconds in between."""

    def __init__(self, *target):
        super().__init__("asker", *target)

    def said(self):
        text = self.process.communicate()[0]
        if self.process.returncode:
            raise AssertionError("a call has failed")
        return json.loads(text)


class Endless(Asker):
    """One call after the other, until it is left."""

    def __init__(self, *target):
        super().__init__(*target, 0)


def took(*target):
    """Milliseconds that each call took."""
    with Asker(*target) as asker:
        return [nanoseconds / 1e6 for nanoseconds in asker.said()["took"]]
