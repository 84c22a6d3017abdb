#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Events that did not come by themselves: each is shown once and in order, or told as lost; over restarts too."""

import json
import os
import tempfile

import tap
from fake_service import OTHER, UUID, path_of
from listener import Listener, ListeningCase


def sequences(lines):
    return [json.loads(line)["sequence"] for line in lines]


class Case(ListeningCase):
    def setUp(self):
        super().setUp()
        self.fake.chained = True

    def emit(self, count=1, uuid=UUID, lost=False):
        """Of several kinds, in turn."""
        for _ in range(count):
            if self.fake.sequence % 2:
                self.fake.emit(path_of(uuid), "Devices", "DeviceRemoved", "ss", ("rng0", "/q"), lost=lost)
            else:
                self.fake.lifecycle(uuid, "resumed", lost=lost)

    def read(self, listener):
        """The next line."""
        return json.loads(listener.process.stdout.readline())


class Missed(Case):
    def test_in_the_middle(self):
        listener = self.listen("--json", "--count=8")
        self.emit()
        self.emit(3, lost=True)
        self.emit()
        self.emit(1, OTHER, lost=True)
        self.emit(2)
        self.assertEqual(sequences(listener.finish()), list(range(1, 9)))
        self.assertEqual(listener.err, "")

    def test_at_the_end(self):
        """Nothing comes behind them that shows it."""
        listener = self.listen("--json", "--count=3")
        self.emit()
        self.emit(2, lost=True)
        self.assertEqual(sequences(listener.finish()), [1, 2, 3])

    def test_while_the_service_was_away(self):
        listener = self.listen("--json", "--count=4")
        self.emit()
        self.assertEqual(self.read(listener)["sequence"], 1)
        self.fake.go_away()
        self.emit(2, lost=True)
        self.fake.come_back()
        self.emit()
        self.assertEqual(sequences(listener.finish()), [2, 3, 4])

    def test_while_the_bus_was_away(self):
        listener = self.listen("--json", "--count=4")
        self.emit()
        self.assertEqual(self.read(listener)["sequence"], 1)
        self.bus.end()
        self.emit(2, lost=True)
        self.bus.start()
        self.fake.come_back()
        self.emit()
        self.assertEqual(sequences(listener.finish()), [2, 3, 4])

    def test_of_one_domain(self):
        for domain in ("vm", UUID):
            with self.subTest(domain):
                listener = self.listen(domain, "--count=4")
                for lost in (False, True, True, False):
                    self.emit(1, OTHER, lost)
                    self.emit(1, UUID, lost)
                # All in the words of people, and with the name.
                lines = [line.split()[2] for line in listener.finish()]
                self.assertEqual(lines, ["vm"] * 4)

    def test_of_types(self):
        """An event of two of them is shown once."""
        listener = self.listen("--json", "--type=resumed,Domain.*", "--type=Lifecycle", "--count=5")
        self.emit(4)
        self.emit(4, lost=True)
        self.emit(2)
        self.assertEqual(sorted(sequences(listener.finish())), [1, 3, 5, 7, 9])

    def test_gap(self):
        """What the service does not have any more."""
        listener = self.listen("--json", "--count=2")
        self.emit()
        self.assertEqual(self.read(listener)["sequence"], 1)
        self.emit(5, lost=True)
        self.fake.history.forget(4)
        self.emit()
        gap = self.read(listener)
        self.assertEqual(sorted(gap), ["gap", "sequence"])
        self.assertEqual((gap["gap"]["from"], gap["gap"]["to"]), (2, gap["sequence"]))
        self.assertGreaterEqual(gap["sequence"], 4)
        self.emit(2)
        shown = sequences(listener.finish())
        self.assertEqual(shown[0], gap["sequence"] + 1)
        self.assertEqual(listener.err, "")

    def test_gap_in_words(self):
        listener = self.listen("--count=1")
        self.emit(1, lost=True)
        self.emit(1, lost=True)
        self.fake.history.forget(1)
        self.emit()
        self.fake.wait_call("GetManagedObjects")
        self.emit(2)
        listener.finish()
        self.assertRegex(listener.err, r"^vmheraldctl: events 1 to [34] are lost\n$")


class Positions(Case):
    def test_after(self):
        self.emit(6)
        for after, expected in (("2", [3, 4, 5, 6]), ("5", [6]), ("oldest", [1, 2, 3, 4, 5, 6])):
            with self.subTest(after):
                listener = self.listen("--json", f"--after={after}", f"--count={len(expected)}")
                self.assertEqual(sequences(listener.finish()), expected)
        self.fake.history.forget(3)
        listener = self.listen("--json", "--after=oldest", "--count=4")
        self.emit()
        self.assertEqual(sequences(listener.finish()), [4, 5, 6, 7])
        listener = self.listen("--json", "--after=now", "--count=2")
        self.emit(2)
        self.assertEqual(sequences(listener.finish()), [8, 9])

    def test_after_with_types_is_in_order(self):
        """So that the sequence of the last line is where to go on, whatever was lost on its way."""
        self.emit(3)
        listener = self.listen("--json", "--after=1", "--type=Devices.*", "--count=4")
        self.emit(1, OTHER, lost=True)
        self.emit(2)
        self.emit(1, OTHER, lost=True)
        self.emit(2, OTHER)
        self.assertEqual(sequences(listener.finish()), [2, 4, 6, 8])

    def test_after_the_end(self):
        """A position of numbers that there are not (any more)."""
        self.emit(2)
        listener = self.listen("--json", "--after=1000", "--count=1")
        first = self.read(listener)
        self.assertIn("gap", first)
        self.emit(2)
        self.assertEqual(sequences(listener.finish()), [first["sequence"] + 1])

    def test_passive(self):
        """Who makes no call is told what he does not get."""
        self.emit(3)
        listener = self.listen("--json", "--passive", "--after=1", "--count=1")
        self.emit()
        gap, event = [json.loads(line) for line in listener.finish()]
        self.assertEqual((gap["gap"], event["sequence"]), ({"from": 2, "to": 3}, 4))
        self.assertEqual(self.fake.calls, [])

    def position_file(self):
        folder = tempfile.TemporaryDirectory(prefix="vmherald-ctl-position-")
        self.addCleanup(folder.cleanup)
        return os.path.join(folder.name, "a position")

    def position(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def test_position_file(self):
        path = self.position_file()
        self.emit(3)
        listener = self.listen("--json", f"--position-file={path}", "--count=2")
        # Before anything came, and before it is said that nothing is missed.
        self.assertEqual(self.position(path), "3\n")
        # What comes behind the last that is shown is not skipped by the next run.
        self.emit(4)
        self.assertEqual(sequences(listener.finish()), [4, 5])
        self.assertEqual(self.position(path), "5\n")
        listener = self.listen("--json", f"--position-file={path}", "--after=1", "--count=3")
        self.emit()
        self.assertEqual(sequences(listener.finish()), [6, 7, 8])
        self.assertEqual(os.listdir(os.path.dirname(path)), ["a position"])

    def test_position_file_goes_on_without_lines(self):
        """Else a rare type would look for a history that is long gone."""
        path = self.position_file()
        listener = self.listen("--json", f"--position-file={path}", "--type=Lost", "--count=1")
        self.emit(5)
        tap.wait_until(lambda: self.position(path) == "5\n")
        self.fake.emit(path_of(UUID), "Monitor", "Lost", "s", ("end",))
        self.assertEqual(sequences(listener.finish()), [6])

    def test_position_file_over_kills(self):
        """Killed at any moment: no line is missing, and one that comes again is seen by its sequence."""
        path = self.position_file()
        seen = []
        self.emit()
        for number in range(8):
            listener = self.listen("--json", f"--position-file={path}", "--after=0")
            self.emit(20)
            self.emit(5, lost=True)
            for _ in range(3 + number):
                seen.append(self.read(listener)["sequence"])
            listener.process.kill()
            rest = listener.process.stdout.read().decode("utf-8")
            # Lines are written whole; the pipe has what was written before the kill.
            seen += sequences(rest.splitlines())
            listener.stop()
        listener = self.listen("--json", f"--position-file={path}", "--type=resumed,Devices.*")
        while seen[-1] != self.fake.sequence:
            seen.append(self.read(listener)["sequence"])
        self.assertEqual(sorted(set(seen)), list(range(1, self.fake.sequence + 1)))
        # A line again begins a run; within one all are in order.
        self.assertLessEqual(sum(b <= a for a, b in zip(seen, seen[1:])), 8)

    def test_bad_position_files(self):
        path = self.position_file()
        run = [f"--address={self.bus.address}", "events", "--count=1"]
        with open(path, "w", encoding="utf-8") as file:
            file.write("{}")
        outcome = tap.run(*run, f"--position-file={path}")
        self.assertEqual(outcome.code, 1)
        self.assertIn("a position: ", outcome.err)
        self.assertEqual(self.position(path), "{}")
        for bad in ("/nowhere/position", os.path.dirname(path)):
            outcome = tap.run(*run, f"--position-file={bad}")
            self.assertEqual((outcome.code, outcome.out), (1, ""), outcome.err)
            self.assertIn(bad, outcome.err)
        # An empty one is as good as none.
        with open(path, "w", encoding="utf-8"):
            pass
        listener = self.listen("--json", f"--position-file={path}", "--count=1")
        self.emit()
        self.assertEqual(sequences(listener.finish()), [1])

    def test_output_cannot_be_written(self):
        """Then the position stays where it was."""
        path = self.position_file()
        self.emit(2)
        with open("/dev/full", "w", encoding="utf-8") as full:
            listener = Listener(self.bus, "--json", f"--position-file={path}", "--after=1", stdout=full)
        self.addCleanup(listener.stop)
        _, err = listener.process.communicate(timeout=tap.DEADLINE)
        self.assertEqual(listener.process.returncode, 1)
        self.assertIn(b"Cannot write the output", err)
        self.assertEqual(self.position(path), "1\n")


if __name__ == "__main__":
    tap.main()
