# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/examples/snapshot.py, the worked example of the reference: whenever it is started, what it tells goes on
from its snapshot with no hole and no double."""
import os
import subprocess
import threading

import harness
import life
from harness import wait_until

EXAMPLE = os.path.join(os.environ["VMHERALD_INTROSPECTION"], os.pardir, "docs", "examples", "snapshot.py")
STARTS = 6


class Example:
    """The program, and the lines of it."""

    def __init__(self):
        self.lines = []
        self.process = subprocess.Popen(["/usr/bin/python3", EXAMPLE], stdout=subprocess.PIPE,
                                        encoding="utf-8")
        self.thread = threading.Thread(target=self._collect)
        self.thread.start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.append(line.split())

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()


class Snapshot(life.LifeCase):
    def start_example(self):
        example = Example()
        self.addCleanup(example.stop)
        return example

    def check(self, example):
        """What it told is its snapshot and all that came behind one moment, and at that moment the states were those of
        the snapshot."""
        told = [(s.path, str(s.sequence), s.arguments[0], s.arguments[2])
                for s in self.recorder.find("Domain.Lifecycle")]
        wait_until(lambda: example.lines and example.lines[-1][0] == told[-1][1],
                   "the example to tell the last event")
        snapshot = {line[1]: line[2] for line in example.lines if line[0] == "snapshot"}
        events = [(path, sequence, event, state)
                  for sequence, path, event, state in example.lines[len(snapshot):]]
        self.assertEqual(told[len(told) - len(events):], events)
        before = {}
        for path, _sequence, event, state in told[:len(told) - len(events)]:
            before[path] = state
            if event == "undefined":
                del before[path]
        self.assertEqual(before, snapshot)
        return len(events)

    def test_in_a_storm(self):
        domains, monitors = [], []
        for name in "ab":
            domains.append(self.define(name, machine="none", arguments=life.second_monitor(name)))
            domains[-1].start()
            monitors.append(life.SecondMonitor(name))
            self.addCleanup(monitors[-1].close)
        going = threading.Event()
        going.set()

        def storm(monitor):
            while going.is_set():
                monitor.execute("stop")
                monitor.execute("cont")
        threads = [threading.Thread(target=storm, args=(monitor,)) for monitor in monitors]
        for thread in threads:
            thread.start()
        try:
            examples = []
            for _ in range(STARTS):
                examples.append(self.start_example())
                wait_until(lambda: len(examples[-1].lines) > 100, "the example to hear the storm")
        finally:
            going.clear()
            for thread in threads:
                thread.join()
        domains[0].destroy()
        self.define("c", machine="none")
        domains[0].undefine()
        domains[1].call("Domain", "Suspend")
        self.mark()
        for example in examples:
            self.assertGreater(self.check(example), 100)

    def test_it_starts_the_service(self):
        self.define("a", machine="none")
        self.connection.kill_service()
        example = self.start_example()
        wait_until(lambda: example.lines, "the snapshot")
        self.assertEqual("shut-off", example.lines[0][2])
        self.define("b", machine="none").start()
        wait_until(lambda: len(example.lines) == 4, "the events")
        self.assertEqual(["defined", "starting", "started"], [line[2] for line in example.lines[1:]])


if __name__ == "__main__":
    harness.main()
