# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/examples/listen*: each is built as it says in it, with the installed library, and tells every event from its first line
on: those of a domain's life, and those that came while the service was killed and started again."""
import os
import re
import shutil
import signal
import subprocess
import threading

import harness
import life
from harness import NAME, wait_until

EXAMPLES = os.path.join(os.environ["VMHERALD_INTROSPECTION"], os.pardir, "docs", "examples")
GREETING = "Monitoring bus message stream.\n"     # busctl's
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter"]


class Example:
    """One that runs, and the words of each of its lines."""

    def __init__(self, *command):
        self.name = os.path.basename(command[-1])
        self.lines = []
        # A group, since the one in shell is three processes.
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                                        start_new_session=True)
        self.thread = threading.Thread(target=self._collect)
        self.thread.start()

    def _collect(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def stop(self):
        """Its exit status, and what it had to complain of."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.thread.join()
        complaints = self.process.stderr.read()
        status = self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
        return status, complaints


class Examples(life.LifeCase):
    def flags(self, path):
        """Of the command in the comment of the source."""
        with open(path, encoding="utf-8") as file:
            packages = re.search(r"pkg-config --cflags --libs ([^)]*)\)", file.read()).group(1).split()
        return subprocess.run(["pkg-config", "--cflags", "--libs", *packages], check=True, capture_output=True, text=True,
                              env=dict(os.environ, PKG_CONFIG_PATH=self.pc)).stdout.split()

    def build(self, name):
        source = os.path.join(EXAMPLES, name + ".c")
        program = os.path.join(harness.folder(), name)
        sanitizers = os.environ.get("VMHERALD_SANITIZERS", "none")
        subprocess.run(["cc", *WARNINGS, *([] if sanitizers == "none" else [f"-fsanitize={sanitizers}"]), source, "-o",
                        program, *self.flags(source)], check=True)
        return program

    def setUp(self):
        super().setUp()
        stage = os.path.join(harness.folder(), "stage")
        self.pc = next(place for place, _, files in os.walk(stage) if "vmherald.pc" in files)
        # What is installed to a folder of its own is moved there.
        for name in ("vmherald.pc", "vmherald-glib.pc"):
            path = os.path.join(self.pc, name)
            with open(path, encoding="utf-8") as file:
                text = file.read()
            with open(path, "w", encoding="utf-8") as file:
                file.write(re.sub("^prefix=(?!" + stage + ")", "prefix=" + stage, text, flags=re.M))

    def start(self, *command):
        example = Example(*command)
        self.running.append(example)
        self.addCleanup(lambda: example.process.poll() is None and os.killpg(example.process.pid, signal.SIGKILL))
        return example

    def expected(self):
        lines = []
        for told in self.recorder.events():
            uuid = told.path.rpartition("/")[2][1:].replace("_", "-")
            interface = told.interface[len(NAME) + 1:] if told.interface.startswith(NAME) else told.interface
            words = told.arguments[:2] if told.member == "Lifecycle" else ()
            lines.append(" ".join([str(told.sequence), uuid, f"{interface}.{told.member}", *words]))
        return lines

    def wait_for_all(self):
        last = self.expected()[-1]
        wait_until(lambda: all(example.lines and example.lines[-1] == last for example in self.running),
                   "all examples to tell the last event")

    def test_all(self):
        self.running = []
        for name in ("listen-poll", "listen-glib", "listen-sd-event"):
            self.start(self.build(name))
        self.start("/usr/bin/python3", os.path.join(EXAMPLES, "listen.py"))
        self.start("/bin/sh", os.path.join(EXAMPLES, "listen.sh"))
        if shutil.which("gjs"):
            self.start("gjs", os.path.join(EXAMPLES, "listen.js"))
        else:
            harness.note("there is no gjs: listen.js was not run")

        # Something happens until each has heard of it: from there on each has all.
        first = self.define("first", machine="none")
        first.start()

        def all_hear():
            first.call("Domain", "Suspend")
            first.call("Domain", "Resume")
            return all(example.lines for example in self.running)
        wait_until(all_hear, "all examples to listen")

        second = self.define("second", machine="none")
        second.start()
        second.call("Domain", "Suspend")
        second.call("Domain", "Resume")
        self.mark()
        self.wait_for_all()
        self.connection.kill_service()
        # Called, it is there again.
        second.call("Domain", "Suspend")
        second.call("Domain", "Resume")
        second.destroy()
        second.undefine()
        self.mark()
        self.wait_for_all()

        expected = self.expected()
        for example in self.running:
            with self.subTest(example.name):
                self.assertIn(example.lines[0], expected)
                self.assertEqual(expected[expected.index(example.lines[0]):], example.lines)
                status, complaints = example.stop()
                self.assertEqual("", complaints.replace(GREETING, ""))
                if example.name.startswith("listen-"):
                    self.assertEqual(0, status)


if __name__ == "__main__":
    harness.main()
