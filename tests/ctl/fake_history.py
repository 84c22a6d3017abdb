# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the fake service remembers of its events, as the service's history does."""

from gi.repository import GLib

# Of one answer, as that of the service.
LIMIT_DEFAULT = 1000
LIMIT_MAX = 10000


def matches(entry, wanted):
    """wanted: one filter, unpacked; see GetEvents() in the contract."""
    sequence, _, _, path, interface, member, arguments = entry
    arg0 = arguments.unpack()[0] if arguments.get_type_string().startswith("(s") else None
    return (wanted.get("domain", path) == path and wanted.get("interface", interface) == interface and
            wanted.get("member", member) == member and wanted.get("arg0", arg0) == arg0 and
            sequence > wanted.get("after", 0) and
            ("any-of" not in wanted or any(matches(entry, one) for one in wanted["any-of"])))


class History:
    def __init__(self):
        self.entries = []       # (sequence, previous, time, path, interface, member, all arguments)
        self.forgotten = 0      # up to this sequence

    def add(self, *entry):
        self.entries.append(entry)

    def forget(self, sequence):
        """It does not reach back so far any more."""
        self.forgotten = sequence
        self.entries = [entry for entry in self.entries if entry[0] > sequence]

    def last(self):
        return self.entries[-1][0] if self.entries else self.forgotten

    def oldest(self):
        return self.forgotten + 1

    def find(self, after, wanted, limit):
        """complete, the last that was looked at, and what was found."""
        found = [entry for entry in self.entries if entry[0] > after and matches(entry, wanted)]
        last = found[limit - 1][0] if len(found) > limit else self.last()
        return after >= self.forgotten, max(last, after), found[:limit]

    def get_events(self, after, wanted, limit):
        complete, last, found = self.find(after, wanted, min(limit or LIMIT_DEFAULT, LIMIT_MAX))
        return GLib.Variant("(bta(tttossv))", (complete, last, found))

    def count_events(self, after, wanted):
        complete, last, found = self.find(after, wanted, len(self.entries))
        return GLib.Variant("(btt)", (complete, last, len(found)))
