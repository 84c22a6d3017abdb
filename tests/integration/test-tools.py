# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tools people use: vmheraldctl against the real service, and the tour of README.md, command by
command as it is printed there."""
import json
import os
import re
import signal
import struct
import subprocess

import harness
from badcase import BadCase
from harness import NAME, PATH, wait_until

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "README.md")
GOOD, FAILED, USAGE, TIMED_OUT = 0, 1, 2, 3
SMALL = ["--emulator", "qemu-system-x86_64", "--machine", "q35", "--accel", "tcg", "--memory", "16M"]
UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def make_qcow2(path, size=1 << 20, cluster_bits=16):
    """An empty image: header, refcount table, refcount block, L1 table, a cluster each."""
    cluster = 1 << cluster_bits
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, cluster_bits, size, 0, 1,
                         3 * cluster, cluster, 1, 0, 0)
    table = struct.pack(">Q", 2 * cluster)
    block = struct.pack(">4H", 1, 1, 1, 1)
    with open(path, "wb") as file:
        for content in (header, table, block, b""):
            file.write(content.ljust(cluster, b"\0"))


class Tool(BadCase):
    def setUp(self):
        super().setUp()
        self.place = os.path.join(harness.folder(), "images")
        os.makedirs(self.place, exist_ok=True)

    def run_tool(self, *arguments, text=None):
        """Runs vmheraldctl without holding up the recorder."""
        process = subprocess.Popen(["vmheraldctl", *arguments], cwd=self.place, encoding="utf-8",
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=dict(os.environ, LC_ALL="C.UTF-8"))
        return subprocess.CompletedProcess(process.args, None, *process.communicate(
            text, timeout=harness.DEADLINE)), process

    def ctl(self, *arguments, text=None):
        """What it prints; it must succeed and have nothing to complain of."""
        done, process = self.run_tool(*arguments, text=text)
        self.assertEqual((GOOD, ""), (process.returncode, done.stderr), arguments)
        return done.stdout

    def fail(self, status, words, *arguments, text=None):
        """It must fail with that status, say why, and print no result."""
        done, process = self.run_tool(*arguments, text=text)
        self.assertEqual((status, ""), (process.returncode, done.stdout), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        self.assert_served()

    def image(self, name):
        path = os.path.join(self.place, name)
        if name.endswith(".qcow2"):
            make_qcow2(path)
        else:
            with open(path, "wb") as file:
                file.truncate(1 << 20)
        return path


class Control(Tool):
    def test_life(self):
        identity = self.ctl("create", "tool", *SMALL, "--define", "--title", "A tool").strip()
        self.assertRegex(identity, UUID)
        self.assertEqual(f"tool\trunning\t{identity}\n", self.ctl("list"))
        self.assertEqual("", self.ctl("list", "--state=paused"))
        shown = json.loads(self.ctl("show", "tool", "--json"))
        self.assertIn("A tool", json.dumps(shown))
        self.assertIn(identity, self.ctl("show", identity))
        for verb, state in (("suspend", "paused"), ("resume", "running"), ("reset", "running"),
                            ("destroy", "shut-off"), ("start", "running")):
            self.assertEqual("", self.ctl(verb, "tool"))
            self.assertEqual(f"tool\t{state}\t{identity}\n", self.ctl("list"), verb)
        self.fail(FAILED, ["tool", "running"], "start", "tool")
        self.fail(FAILED, ["tool", "running"], "undefine", "tool")
        self.ctl("destroy", "tool", "--grace=5")
        self.ctl("start", "--paused", "tool")
        self.assertIn("\tpaused\t", self.ctl("list"))
        self.ctl("destroy", "tool")
        self.ctl("undefine", "tool")
        self.assertEqual("", self.ctl("list"))
        self.fail(FAILED, ["tool"], "start", "tool")

    def test_define(self):
        text = json.dumps(harness.definition("file"))
        path = os.path.join(self.place, "file.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        self.assertEqual("", self.ctl("validate", path))
        identity = self.ctl("define", path).strip()
        self.assertRegex(identity, UUID)
        self.fail(FAILED, ["file"], "define", "-", text=text)
        back = self.ctl("definition", "file")
        self.assertEqual(identity, json.loads(back)["uuid"])
        self.assertEqual(identity, self.ctl("define", "-", text=back).strip())
        self.ctl("start", "file")
        self.ctl("destroy", "file")

    def test_bad_definition(self):
        bad = '{"name": "a/b", "cpus": 0}'
        done, process = self.run_tool("validate", "-", text=bad)
        self.assertEqual(FAILED, process.returncode)
        for word in ("name", "cpus"):
            self.assertIn(word, done.stdout + done.stderr)
        self.fail(FAILED, ["name: "], "define", "-", text=bad)
        self.fail(FAILED, ["name: "], "create", "-", text=bad)
        self.fail(FAILED, ["JSON"], "define", "-", text="nonsense")
        self.fail(FAILED, ["no-such-file"], "define", "./no-such-file")
        self.fail(FAILED, ["no-such-device"], "create", "bad", *SMALL, "--device",
                  '{"driver": "no-such-device"}')
        self.fail(USAGE, [], "define")
        self.fail(USAGE, ["nonsense"], "nonsense")
        self.assertEqual("", self.ctl("list"))

    def test_create_prints(self):
        """What is printed is what would be started; nothing is."""
        options = [*SMALL, "--cpus", "2", "--net", "user", "--disk", "a.qcow2", "--cdrom", "x.iso"]
        self.image("a.qcow2")
        self.image("x.iso")
        text = self.ctl("create", "printed", *options, "--print")
        self.assertEqual("", self.ctl("list"))
        self.assertEqual("", self.ctl("validate", "-", text=text))
        document = json.loads(text)
        self.assertEqual(("printed", 2, "16M"), (document["name"], document["cpus"],
                                                document["memory"]))
        self.ctl("create", "-", text=text)
        self.check_images(["disk0", "cdrom0"])

    def check_images(self, nodes):
        """QEMU has opened them, and they can be read."""
        found = {node["device"] or node["qdev"]: node["inserted"]
                 for node in json.loads(self.ctl("qmp", "printed", "query-block"))
                 if "inserted" in node}
        self.assertEqual(sorted(nodes), sorted(inserted["node-name"] for inserted in found.values()))
        for inserted in found.values():
            self.assertEqual(1 << 20, inserted["image"]["virtual-size"])
        return {inserted["node-name"]: inserted for inserted in found.values()}

    def test_create_with_images(self):
        for name in ("a.raw", "b.qcow2", "c.odd", "x.iso"):
            self.image(name)
        # A relative path is one of the caller's folder, not of the service's.
        self.ctl("create", "printed", *SMALL, "--disk", "a.raw", "--disk", "b.qcow2",
                 "--disk", os.path.join(self.place, "c.odd") + ",format=raw", "--cdrom", "x.iso")
        found = self.check_images(["disk0", "disk1", "disk2", "cdrom0"])
        self.assertEqual({"disk0": "raw", "disk1": "qcow2", "disk2": "raw", "cdrom0": "raw"},
                         {name: node["drv"] for name, node in found.items()})
        self.assertEqual({"disk0": False, "disk1": False, "disk2": False, "cdrom0": True},
                         {name: node["ro"] for name, node in found.items()})

    def test_create_with_bad_images(self):
        with open(os.path.join(self.place, "no.qcow2"), "wb") as file:
            file.truncate(1 << 20)
        self.fail(FAILED, ["qcow2"], "create", "bad", *SMALL, "--disk", "no.qcow2")
        self.fail(FAILED, ["missing.raw"], "create", "bad", *SMALL, "--disk", "missing.raw")
        self.fail(USAGE, ["format"], "create", "bad", *SMALL, "--disk", "what")
        self.fail(USAGE, ["--memory"], "create", "bad", "--memory", "512")
        self.assertEqual("", self.ctl("list"))

    def test_devices(self):
        self.ctl("create", "tool", *SMALL, "--device", '{"driver": "qemu-xhci", "id": "usb"}')
        self.image("stick.raw")
        node = json.dumps({"driver": "file", "node-name": "stick",
                           "filename": os.path.join(self.place, "stick.raw")})
        self.assertEqual("stick0\n", self.ctl(
            "attach", "tool", '{"driver": "usb-storage", "id": "stick0", "drive": "stick"}',
            f"--blockdev={node}"))
        self.assertIn("usb-storage", self.ctl("show", "tool"))
        self.fail(FAILED, ["stick0"], "attach", "tool", '{"driver": "usb-tablet", "id": "stick0"}')
        self.fail(FAILED, ["no-such-device"], "attach", "tool", '{"driver": "no-such-device"}')
        self.fail(FAILED, ["nothing"], "detach", "tool", "nothing")
        self.assertEqual("", self.ctl("detach", "tool", "stick0"))
        made = self.ctl("attach", "tool", '{"driver": "usb-tablet"}').strip()
        self.ctl("detach", "tool", made, "--timeout=30")

    def test_detach_times_out(self):
        self.ctl("create", "tool", *SMALL, "--device",
                 '{"driver": "pcie-root-port", "id": "port0", "chassis": 1}')
        self.ctl("suspend", "tool")
        self.ctl("attach", "tool", '{"driver": "virtio-rng-pci", "id": "rng0", "bus": "port0"}')
        self.fail(FAILED, ["rng0"], "detach", "tool", "rng0", "--timeout=0.2")

    def test_qmp(self):
        self.ctl("create", "tool", *SMALL)
        self.assertEqual("running", json.loads(self.ctl("qmp", "tool", "query-status"))["status"])
        self.assertIn("q35", self.ctl("qmp", "tool", "qom-get",
                                      '{"path": "/machine", "property": "type"}'))
        self.fail(FAILED, ["no-such-command"], "qmp", "tool", "no-such-command")
        self.fail(FAILED, [], "qmp", "tool", "qom-get", "{}")
        self.fail(FAILED, ["nobody"], "qmp", "nobody", "query-status")

    def test_autostart(self):
        self.ctl("define", "-", text=json.dumps(harness.definition("auto")))
        before = self.ctl("autostart", "auto")
        self.assertEqual("", self.ctl("autostart", "auto", "on"))
        self.assertNotEqual(before, self.ctl("autostart", "auto"))
        self.assertTrue(json.loads(self.ctl("definition", "auto"))["autostart"])
        self.ctl("autostart", "auto", "off")
        self.assertEqual(before, self.ctl("autostart", "auto"))
        self.fail(USAGE, [], "autostart", "auto", "perhaps")
        self.ctl("create", "transient", *SMALL)
        self.fail(FAILED, ["transient"], "autostart", "transient", "on")

    def listen(self, *arguments):
        """vmheraldctl that has said it misses nothing any more."""
        reader, writer = os.pipe()
        process = subprocess.Popen(["vmheraldctl", "events", f"--ready-fd={writer}", *arguments],
                                   pass_fds=[writer], encoding="utf-8", stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE)
        os.close(writer)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        with os.fdopen(reader, encoding="utf-8") as ready:
            self.assertEqual("ready\n", ready.readline())
        return process

    def test_events(self):
        self.ctl("define", "-", text=json.dumps(harness.definition("heard")))
        self.ctl("define", "-", text=json.dumps(harness.definition("other")))
        everything = self.listen("--count=5")
        chosen = self.listen("heard", "--type=started,stopped", "--json", "--count=2")
        for name in ("other", "heard"):
            self.ctl("start", name)
            self.ctl("destroy", name)
        lines = [json.loads(line) for line in chosen.stdout]
        self.assertEqual(GOOD, chosen.wait())
        self.assertEqual([("heard", "started"), ("heard", "stopped")],
                         [(line["domain"], line["arguments"][0]) for line in lines])
        text = everything.stdout.read().splitlines()
        self.assertEqual(GOOD, everything.wait())
        self.assertEqual(5, len(text))
        self.assertRegex(text[0], r"other.*Domain\.Lifecycle.*starting")

    def last_sequence(self):
        return self.connection.get(PATH, f"{NAME}.Manager", "LastSequence")

    def test_events_over_kills(self):
        """Of the service, and of who listens: each event is shown and in order, and one that is shown again is known by
        its sequence."""
        position = os.path.join(self.place, "position")
        self.define("kept", machine="none").start()
        start, seen, restarts = self.last_sequence(), [], 0
        listener = self.listen("--json", f"--position-file={position}")
        for number in range(6):
            # He does not read, and then is killed, or goes on.
            os.kill(listener.pid, signal.SIGSTOP)
            for verb in ("suspend", "resume", "suspend", "resume"):
                self.ctl(verb, "kept")
            if number % 2 == 0:
                self.connection.kill_service()
                self.ctl("wait", "kept", "resumed", "--timeout=60")
            if number % 3 == 1:
                listener.kill()
                restarts += 1
                seen += [json.loads(line) for line in listener.stdout]
                listener = self.listen("--json", f"--position-file={position}")
            os.kill(listener.pid, signal.SIGCONT)
        last = self.last_sequence()
        while not seen or seen[-1]["sequence"] < last:
            seen.append(json.loads(listener.stdout.readline()))
        sequences = [event["sequence"] for event in seen]
        self.assertEqual(list(range(start + 1, last + 1)), sorted(set(sequences)))
        again = [b for a, b in zip(sequences, sequences[1:]) if b != a + 1]
        self.assertLessEqual(len(again), restarts)
        self.assertEqual({"kept"}, {event["domain"] for event in seen})
        # Whoever comes later has them all the same.
        wanted = sorted({event["sequence"] for event in seen if event["member"] == "Lifecycle"})
        late = self.listen("--json", "--type=Lifecycle", f"--after={start}", f"--count={len(wanted)}")
        self.assertGreaterEqual(len(wanted), 24)
        self.assertEqual(wanted, [json.loads(line)["sequence"] for line in late.stdout])

    def test_wait(self):
        self.ctl("define", "-", text=json.dumps(harness.definition("awaited")))
        self.ctl("wait", "awaited", "stopped", "--timeout=30")       # holds already
        self.fail(TIMED_OUT, [], "wait", "awaited", "started", "--timeout=0.1")
        waiting = subprocess.Popen(["vmheraldctl", "wait", "awaited", "suspended", "--timeout=60"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.addCleanup(waiting.wait)
        self.addCleanup(waiting.kill)
        self.ctl("start", "awaited")
        self.ctl("wait", "awaited", "started", "--timeout=30")
        self.ctl("suspend", "awaited")
        # It may have begun to look before or after: either way it knows.
        wait_until(lambda: waiting.poll() is not None, "the end of wait")
        self.assertEqual(GOOD, waiting.returncode)
        self.fail(FAILED, ["nobody"], "wait", "nobody", "started", "--timeout=5")
        self.fail(USAGE, [], "wait", "awaited", "nonsense")


class Tour(Tool):
    """README.md is run, not copied: what it says is what is tried."""

    def commands(self):
        with open(README, encoding="utf-8") as file:
            text = file.read()
        tour = text.partition("## A tour of two minutes")[2].partition("\n## ")[0]
        blocks = re.findall(r"(?:^    .*\n)+", tour, re.MULTILINE)
        return ["".join(line[4:] + "\n" for line in block.splitlines()) for block in blocks]

    def test_tour(self):
        blocks = self.commands()
        install, listen, *rest = blocks
        self.assertIn("make install", install)      # the harness has done that
        listeners = []
        for line in listen.splitlines():
            with open(os.path.join(self.place, f"heard{len(listeners)}"), "wb") as output:
                listeners.append(subprocess.Popen(["sh", "-c", "exec " + line], stdout=output,
                                                  stdin=subprocess.DEVNULL, stderr=output,
                                                  cwd=self.place, env=self.environment()))
            self.addCleanup(listeners[-1].wait)
            self.addCleanup(listeners[-1].terminate)
        self.assertEqual(3, len(listeners))
        # They have arrived when the bus knows their rules; a listener that prints nothing yet cannot
        # tell, so domains come and go until each has heard of one.
        def all_heard():
            self.create("knock").destroy()
            return all(os.path.getsize(os.path.join(self.place, f"heard{i}")) > 0 and
                       b"Lifecycle" in self.read(i) for i in range(3))
        wait_until(all_heard, "the listeners")

        script = "set -ex\n" + "".join(rest)
        self.assertIn("vmheraldctl create tour", script)
        self.assertIn("busctl --user introspect", script)
        run = subprocess.run(["bash", "-c", script], cwd=self.place, env=self.environment(),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, encoding="utf-8", check=False,
                             timeout=harness.DEADLINE * 2)
        self.assertEqual(0, run.returncode, run.stderr)
        for word in ("tour", "running", "paused", f"{PATH}/domain/", f"{NAME}.Network",
                     '"status"', "FilterChanged"):
            self.assertIn(word, run.stdout)
        self.assertEqual({}, self.connection.managed_objects())
        for index in range(3):
            for event in ("suspended", "resumed", "stopped", "undefined"):
                wait_until(lambda: event.encode() in self.read(index).partition(b"tour")[2],
                           f"{listen.splitlines()[index]} to tell {event}")

    def read(self, index):
        with open(os.path.join(self.place, f"heard{index}"), "rb") as file:
            return file.read()

    def environment(self):
        # busctl --user looks for the bus of the user, which is the private one here.
        return dict(os.environ, LC_ALL="C.UTF-8")


if __name__ == "__main__":
    harness.main()
