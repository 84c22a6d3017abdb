# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service is killed at moments spread over all that it does, by a seed. After each it finds itself again: the
objects, the files, the processes and the signals say the same, and nothing is left behind.

    VMHERALD_TEST_SEED   another seed than that of every run"""
import json
import os
import random
import signal

import harness
import life
from client import options
from harness import NAME, folder, qemus_of, wait_until
from processes import wait_for_end

SEED = int(os.environ.get("VMHERALD_TEST_SEED", "1"))
ROUNDS = 30
# Seconds that the moments are spread over: a little more than what is done then takes.
LIFE_SPREAD = 0.08
DEVICES_SPREAD = 0.012
STATES = {"shut-off", "running", "paused"}


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Kills(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.chance = random.Random(SEED)
        self.numbers = 0

    def restart_at_a_moment(self, spread, send):
        """Sends calls, and kills the service at some moment from then on."""
        pid = self.connection.service_pid()
        pending = send()
        self.connection.bus.flush_sync(None)
        # The moment is the point here, and no condition: any must do.
        wait_for_end(pid, self.chance.random() * spread)
        harness.end_process(pid, signal.SIGKILL)
        wait_until(lambda: not self.connection.service_runs(), "the bus to notice")
        wait_until(lambda: all(p.finished for p in pending), "the calls to end")
        return [p for p in pending if p.error is None]

    def domains(self):
        """Name -> (path, state), as the objects say it; what was under way comes to rest first."""
        def settled():
            objects = self.connection.managed_objects()
            found = {}
            for path, interfaces in objects.items():
                properties = interfaces[f"{NAME}.Domain"]
                found[properties["Name"]] = (path, properties["State"])
            return found if all(state in STATES for _, state in found.values()) else None
        return wait_until(lambda: (settled(),), "the states to settle")[0] or \
            wait_until(settled, "the states to settle")

    def check(self, expected_names):
        """Objects, files and processes agree."""
        found = self.domains()
        self.assertLessEqual(set(found), set(expected_names))
        running = {path for path, state in found.values() if state != "shut-off"}
        pids = {self.connection.get(path, f"{NAME}.Domain", "PID") for path in running}
        wait_until(lambda: {pid for pid, _ in qemus_of(folder())} == pids, "the processes to agree")
        uuids = {path.rpartition("/_")[2].replace("_", "-") for path in running}
        wait_until(lambda: set(os.listdir(life.runtime_folder())) == uuids, "the folders to agree")
        for uuid in uuids:
            place = os.path.join(life.runtime_folder(), uuid)
            with open(os.path.join(place, "run.json"), encoding="utf-8") as file:
                self.assertTrue(json.load(file)["started"])
        persistent = {name for name, (path, _) in found.items()
                      if self.connection.get(path, f"{NAME}.Domain", "Persistent")}
        self.assertEqual(sorted(f"{name}.json" for name in persistent),
                         sorted(os.listdir(life.definitions_folder())))
        return found

    def check_signals(self, found):
        """Who has listened all the time knows the states: each from its last Lifecycle signal, or from a later
        reading of the properties that Resynchronized asks for."""
        self.mark()
        for path, state in found.values():
            told = [s for s in self.recorder.find("Domain.Lifecycle", path=path)
                    if s.arguments[0] not in ("defined", "undefined")]
            if told:
                last = told[-1]
                # Killed between the removal of the last trace of a run and its signal, or between `starting` and the
                # first trace, the service has nothing to tell it from: the new one's properties say it.
                if last.arguments[2] != state and state != "shut-off":
                    # Then a gap was told behind it.
                    self.assertTrue(
                        [s for s in self.recorder.find("Monitor.Resynchronized", path=path)
                         if s.sequence > last.sequence], (path, last, state))
        numbers = [s.sequence for s in self.recorder.events()]
        self.assertEqual(sorted(set(numbers)), numbers)

    def test_life(self):
        """Start, create, suspend, save, destroy, define, redefine, rename, undefine."""
        names = [f"d{n}" for n in range(3)]
        done = {}
        for name in names:
            self.define(name, machine="none")
        for _ in range(ROUNDS):
            found = self.check([*names, "brief"])
            name = self.chance.choice(names)
            path, state = found.get(name, (None, "undefined"))
            domain = harness.Domain(self.connection, path, name) if path else None
            steps = {
                "undefined": ["define"],
                "shut-off": ["start", "start", "start", "redefine", "undefine", "create"],
                "running": ["suspend", "save", "destroy", "redefine", "create"],
                "paused": ["resume", "destroy", "save"],
            }[state]
            step = self.chance.choice(steps)
            done[step] = done.get(step, 0) + 1

            def send():
                if step in ("define", "redefine", "create"):
                    keys = {"title": f"number {len(done)}"}
                    if step == "redefine":
                        keys["uuid"] = path.rpartition("/_")[2].replace("_", "-")
                    document = harness.definition("brief" if step == "create" else name,
                                                  machine="none", **keys)
                    member = "CreateDomain" if step == "create" else "DefineDomain"
                    return [self.connection.send(harness.PATH, f"{NAME}.Manager", member, "(sa{sv})",
                                                 json.dumps(document), {})]
                member = step.capitalize()
                signature = "()" if step in ("suspend", "resume") else "(a{sv})"
                arguments = () if step in ("suspend", "resume") else ({},)
                return [domain.send("Domain", member, signature, *arguments)]

            self.restart_at_a_moment(LIFE_SPREAD, send)
            found = self.check([*names, "brief"])
            if "brief" in found:
                harness.Domain(self.connection, found["brief"][0], "brief").destroy()
            self.check_signals(self.check(names + ["brief"]))
            saved = os.path.join(os.environ["XDG_STATE_HOME"], "vmherald", "saved")
            self.assertEqual([], [n for n in os.listdir(saved) if not n.endswith(".state")])
            self.assertEqual([], [n for n in os.listdir(life.definitions_folder())
                                  if n.startswith(".")])
        harness.note("killed in the middle of: " + ", ".join(f"{n} {s}" for s, n in
                                                             sorted(done.items())))

    def objects(self, domain):
        return {entry["name"] for entry in
                domain.qmp("qom-list", {"path": "/objects"}) if entry["type"].startswith("child<")}

    def nodes(self, domain):
        return {node["node-name"] for node in domain.qmp("query-named-block-nodes", {"flat": True})}

    def test_devices(self):
        """Attach and detach, each with two backends: all of it is there, or nothing is."""
        domain = self.define("host", machine="q35", devices=[{"driver": "qemu-xhci", "id": "usb0"}])
        domain.start(paused=True)
        nothing = (self.objects(domain), self.nodes(domain))
        attached = {"in": 0, "out": 0}
        for number in range(ROUNDS):
            name = f"n{number}"
            blockdev = {"driver": "null-co", "node-name": name}
            iothread = {"qom-type": "iothread", "id": f"t{name}"}
            device = {"driver": "usb-storage", "id": "stick", "drive": name, "bus": "usb0.0"}
            values = {"blockdev": json.dumps(blockdev), "object": json.dumps(iothread)}
            self.restart_at_a_moment(DEVICES_SPREAD, lambda: [domain.send(
                "Devices", "AttachDevice", "(sa{sv})", json.dumps(device), options(**values))])
            is_in = "stick" in domain.get("Devices", "Devices")
            attached["in" if is_in else "out"] += 1
            whole = (nothing[0] | {f"t{name}"}, nothing[1] | {name}) if is_in else nothing
            wait_until(lambda: (self.objects(domain), self.nodes(domain)) == whole,
                       "what came with the device to agree with it")
            if not is_in:
                continue
            # What was found is written down, before the next kill.
            place = os.path.join(life.runtime_folder(), domain.get("Domain", "UUID"))
            wait_until(lambda: "under-way" not in read(os.path.join(place, "run.json")),
                       "the run file to be written")
            self.restart_at_a_moment(DEVICES_SPREAD, lambda: [domain.send(
                "Devices", "DetachDevice", "(sa{sv})", "stick", {})])
            if "stick" in domain.get("Devices", "Devices"):
                domain.detach("stick")
            wait_until(lambda: (self.objects(domain), self.nodes(domain)) == nothing,
                       "everything to go with the device")
        self.mark()
        picture = set()
        for told in self.recorder.events(domain.path):
            if told.name == "Devices.DeviceAdded":
                picture.add(told.arguments[0])
            elif told.name == "Devices.DeviceRemoved":
                picture.discard(told.arguments[0])
        self.assertEqual(set(domain.get("Devices", "Devices")) - {"usb0"}, picture - {"usb0"})
        harness.note(f"attach: {attached['in']} times in, {attached['out']} times not")

    def test_media(self):
        """The old medium or the new one is in, behind a closed tray, and no other node is there."""
        domain = self.define("player", machine="q35",
                             devices=[{"driver": "ide-cd", "id": "cd0"}])
        domain.start(paused=True)
        changed = {"new": 0, "old": 0}
        current = None

        def look():
            drive = [d for d in domain.qmp("query-block") if d.get("qdev") == "cd0"][0]
            return drive.get("inserted", {}).get("node-name"), drive.get("tray_open", False)

        for number in range(ROUNDS):
            name = f"m{number}"
            self.restart_at_a_moment(DEVICES_SPREAD, lambda: [domain.send(
                "Devices", "ChangeMedia", "(ssa{sv})", "cd0",
                json.dumps({"driver": "null-co", "node-name": name}), {})])
            wait_until(lambda: domain.state == "paused", "it to be found again")
            wait_until(lambda: look() in ((name, False), (current, False)), "one of both to be in")
            changed["new" if look()[0] == name else "old"] += 1
            current = look()[0]
            wait_until(lambda: self.nodes(domain) == ({current} if current else set()),
                       "no other node")
        harness.note(f"medium: {changed['new']} times the new one, {changed['old']} times the old")


if __name__ == "__main__":
    harness.main()
