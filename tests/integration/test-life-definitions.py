# SPDX-License-Identifier: LGPL-2.1-or-later
"""How domains come, change and go: definitions, their files, and the objects on the bus."""
import json
import os
import signal
import uuid

import harness
import life
from harness import GLib, NAME, OBJECT_MANAGER, PROPERTIES

INTERFACES = {f"{NAME}.{name}" for name in ("Domain", "Devices", "Network", "Block", "Guest",
                                            "Display", "Migration", "Monitor")}
STANDARD = {"org.freedesktop.DBus.Introspectable", "org.freedesktop.DBus.Peer", PROPERTIES}


def path_of(name):
    return os.path.join(life.definitions_folder(), name + ".json")


class DefinitionCase(life.LifeCase):
    def definition_of(self, domain, **values):
        return json.loads(domain.call("Domain", "GetDefinition", "(a{sv})",
                                      harness.options(**values)))

    def redefine(self, domain, **keys):
        """The document as it is, with these keys changed."""
        document = self.definition_of(domain)
        document.update({key.replace("_", "-"): value for key, value in keys.items()})
        return self.manager("DefineDomain", "(sa{sv})", json.dumps(document), {})

    def list(self, **values):
        return self.manager("ListDomains", "(a{sv})", harness.options(**values))

    def write(self, name, document):
        with open(path_of(name), "w", encoding="utf-8") as file:
            file.write(document if isinstance(document, str) else json.dumps(document))


class Defining(DefinitionCase):
    def test_added(self):
        since = self.mark()
        domain = self.define("new")
        self.mark()
        self.assertEqual([("defined", "added", "shut-off")], self.lifecycle(domain, since))
        # Its object appears first. (The emulators of the host become known when they do.)
        told = [s for s in self.recorder.signals[since:] if s.name != f"{PROPERTIES}.PropertiesChanged"
                or s.path == domain.path]
        self.assertEqual([f"{OBJECT_MANAGER}.InterfacesAdded", "Domain.Lifecycle"],
                         [s.name for s in told])
        added = told[0]
        self.assertEqual(domain.path, added.arguments[0])
        self.assertEqual(INTERFACES | STANDARD, set(added.arguments[1]))
        self.assertEqual("new", added.arguments[1][f"{NAME}.Domain"]["Name"])
        self.assertEqual("shut-off", added.arguments[1][f"{NAME}.Domain"]["State"])
        self.assertEqual(["new.json"], os.listdir(life.definitions_folder()))
        self.assertEqual(domain.path, self.manager("GetDomain", "(s)", "new"))
        self.assertEqual(domain.path,
                         self.manager("GetDomain", "(s)", domain.get("Domain", "UUID").upper()))
        self.assert_fails("NoSuchDomain", self.manager, "GetDomain", "(s)", "old")

    def test_removed(self):
        domain = self.define("short")
        since = self.mark()
        domain.undefine()
        self.mark()
        self.assertEqual([("undefined", "removed", "shut-off")], self.lifecycle(domain, since))
        names = [s.name for s in self.recorder.signals[since:]]
        self.assertEqual(["Domain.Lifecycle", f"{OBJECT_MANAGER}.InterfacesRemoved"], names)
        removed = self.recorder.signals[-1]
        self.assertEqual(domain.path, removed.arguments[0])
        self.assertLessEqual(INTERFACES, set(removed.arguments[1]))
        self.assertEqual([], os.listdir(life.definitions_folder()))
        self.assertEqual([], self.list())
        self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", domain.start)

    def test_updated_while_shut_off(self):
        domain = self.define("changing", title="Before")
        since = self.mark()
        self.assertEqual(domain.path, self.redefine(domain, title="After", memory="32M"))
        self.mark()
        self.assertEqual([("defined", "updated", "shut-off")], self.lifecycle(domain, since))
        self.recorder.wait_property("Domain", "Title", "After", path=domain.path, since=since)
        self.recorder.wait_property("Domain", "Memory", 32 << 20, path=domain.path, since=since)
        self.assertEqual("After", domain.get("Domain", "Title"))
        # The properties are told before the signal that speaks of them.
        last = self.recorder.signals[-1]
        self.assertEqual("Domain.Lifecycle", last.name)

    def test_updated_while_running(self):
        """Effective at the next start."""
        domain = self.define("changing", title="Before")
        domain.start()
        since = self.mark()
        self.redefine(domain, title="After", memory="32M")
        self.mark()
        self.assertEqual([("defined", "updated", "running")], self.lifecycle(domain, since))
        self.assertEqual("Before", domain.get("Domain", "Title"))
        self.assertEqual(16 << 20, domain.get("Domain", "Memory"))
        self.assertEqual("After", self.definition_of(domain)["title"])
        self.assertEqual("Before", self.definition_of(domain, live=True)["title"])
        self.assertEqual(16 << 20, domain.qmp("query-memory-size-summary")["base-memory"])
        domain.destroy()
        self.recorder.wait_property("Domain", "Title", "After", path=domain.path, since=since)
        domain.start()
        self.assertEqual("After", domain.get("Domain", "Title"))
        self.assertEqual(32 << 20, domain.get("Domain", "Memory"))
        self.assertEqual(32 << 20, domain.qmp("query-memory-size-summary")["base-memory"])
        self.assertEqual("After", self.definition_of(domain, live=True)["title"])

    def test_running_definition_is_kept_over_a_restart_of_the_service(self):
        """What runs is what was started, not what was defined meanwhile."""
        domain = self.define("changing", title="Before")
        domain.start()
        self.redefine(domain, title="After", memory="32M")
        self.connection.kill_service()
        self.assertEqual("running", domain.state)
        self.assertEqual("Before", domain.get("Domain", "Title"))
        self.assertEqual(16 << 20, domain.get("Domain", "Memory"))
        self.assertEqual("Before", self.definition_of(domain, live=True)["title"])
        self.assertEqual("After", self.definition_of(domain)["title"])
        domain.destroy()
        self.assertEqual("After", domain.get("Domain", "Title"))

    def test_renamed(self):
        domain = self.define("ugly")
        since = self.mark()
        self.assertEqual(domain.path, self.redefine(domain, name="handsome"))
        self.mark()
        self.assertEqual([("defined", "renamed", "shut-off")], self.lifecycle(domain, since))
        self.recorder.wait_property("Domain", "Name", "handsome", path=domain.path, since=since)
        self.assertEqual(["handsome.json"], os.listdir(life.definitions_folder()))
        self.assertEqual(domain.path, self.manager("GetDomain", "(s)", "handsome"))
        self.assert_fails("NoSuchDomain", self.manager, "GetDomain", "(s)", "ugly")
        # The old name is free.
        self.define("ugly")
        domain.start()
        domain.destroy()

    def test_renamed_while_running(self):
        domain = self.define("ugly", machine="none")
        domain.start()
        since = self.mark()
        self.assert_fails("WrongState", self.redefine, domain, name="handsome")
        self.mark()
        self.assertEqual([], self.recorder.signals[since:])
        self.assertEqual("ugly", domain.get("Domain", "Name"))
        self.assertEqual(["ugly.json"], os.listdir(life.definitions_folder()))

    def test_name_taken(self):
        self.define("one")
        other = self.define("other")
        self.assert_fails("DomainExists", self.define, "one")
        self.assert_fails("DomainExists", self.create, "one")
        self.assert_fails("DomainExists", self.redefine, other, name="one")
        self.assertEqual(["one.json", "other.json"], sorted(os.listdir(life.definitions_folder())))

    def test_transient_becomes_persistent(self):
        domain = self.create("passing", machine="none")
        self.assertFalse(domain.get("Domain", "Persistent"))
        self.redefine(domain)
        self.recorder.wait_property("Domain", "Persistent", True, path=domain.path)
        domain.destroy()
        self.assertEqual("shut-off", domain.state)

    def test_validate(self):
        def validate(text):
            return self.manager("ValidateDefinition", "(s)", text)
        since = self.mark()
        self.assertEqual([], validate('{"name": "good"}'))
        paths = [path for path, _ in validate(
            '{"name": "a/b", "cpus": 0, "interfaces": [{"id": "a", "type": "user", "mac": 1}]}')]
        self.assertEqual({"name", "cpus", "interfaces[0].mac"}, set(paths))
        self.assertEqual([""], [path for path, _ in validate("[]")])
        self.assertEqual(1, len(validate("{")))
        self.mark()
        self.assertEqual([], self.recorder.signals[since:])
        self.assertEqual([], self.list())


class Autostart(DefinitionCase):
    def check_set(self, domain, value, since):
        self.recorder.wait_property("Domain", "Autostart", value, path=domain.path, since=since)
        self.assertEqual(value, domain.get("Domain", "Autostart"))
        self.assertEqual(value, self.definition_of(domain).get("autostart", False))
        with open(path_of(domain.name), encoding="utf-8") as file:
            self.assertEqual(value, json.load(file).get("autostart", False))

    def test_method(self):
        domain = self.define("early", machine="none")
        for value in (True, False):
            since = self.mark()
            domain.call("Domain", "SetAutostart", "(b)", value)
            self.check_set(domain, value, since)

    def test_property(self):
        domain = self.define("early", machine="none")
        for value in (True, False):
            since = self.mark()
            self.connection.set(domain.path, f"{NAME}.Domain", "Autostart",
                                GLib.Variant("b", value))
            self.check_set(domain, value, since)

    def test_while_running(self):
        domain = self.define("early", machine="none")
        domain.start()
        since = self.mark()
        domain.call("Domain", "SetAutostart", "(b)", True)
        self.check_set(domain, True, since)

    def test_reload_starts(self):
        domain = self.define("early", machine="none", autostart=True)
        self.assertEqual("shut-off", domain.state)
        self.manager("Reload")
        self.wait_life(domain, "started")


class Listing(DefinitionCase):
    def test_list(self):
        running = self.define("b-runs", machine="none")
        running.start()
        paused = self.create("c-held", machine="none")
        paused.call("Domain", "Suspend")
        off = self.define("a-off")

        def row(domain, state):
            return (domain.path, domain.name, domain.get("Domain", "UUID"), state)
        rows = [row(off, "shut-off"), row(running, "running"), row(paused, "paused")]
        self.assertEqual(rows, self.list())
        for each in rows:
            self.assertEqual([each], self.list(state=each[3]))
        self.assertEqual([], self.list(state="crashed"))
        self.assert_fails("InvalidArgument", self.list, state="asleep")
        self.assert_fails("InvalidArgument", self.list, colour="red")

    def test_managed_objects(self):
        """Everything there is, at once, and the same as each property by itself."""
        domains = [self.define("one"), self.create("two", machine="none")]
        domains[0].start(paused=True)
        objects = self.connection.managed_objects()
        self.assertEqual({domain.path for domain in domains}, set(objects))
        for domain in domains:
            self.assertEqual(INTERFACES | STANDARD, set(objects[domain.path]))
            for interface in INTERFACES:
                self.assertEqual(objects[domain.path][interface],
                                 self.connection.get_all(domain.path, interface))

    def test_property_types(self):
        """As the installed descriptions say."""
        domain = self.define("typed", title="A title", interfaces=[{"id": "net0", "type": "none"}])
        domain.start()
        self.recorder.wait_property("Network", "Filters", domain.get("Network", "Filters"),
                                    path=domain.path)
        for interface, types in life.promised_properties(explicit=False).items():
            path = harness.PATH if interface == f"{NAME}.Manager" else domain.path
            reply = self.connection.bus.call_sync(NAME, path, PROPERTIES, "GetAll",
                                                  GLib.Variant("(s)", (interface,)), None,
                                                  harness.Gio.DBusCallFlags.NONE, -1, None)
            values = reply.get_child_value(0)
            found = {}
            for index in range(values.n_children()):
                entry = values.get_child_value(index)
                name = entry.get_child_value(0).get_string()
                found[name] = entry.get_child_value(1).get_variant().get_type_string()
            self.assertEqual(types, found, interface)

    def test_property_values(self):
        identity = str(uuid.uuid4())
        domain = self.define("valued", title="Wörter", uuid=identity, cpus=2, memory="24M")
        expected = {
            "Name": "valued", "UUID": identity, "Title": "Wörter", "State": "shut-off",
            "Incarnation": 0, "Persistent": True, "Adopted": False, "Autostart": False, "PID": 0,
            "StartedAt": 0, "Emulator": "qemu-system-x86_64", "Machine": "q35", "CPUs": 2,
            "Memory": 24 << 20,
        }
        values = self.connection.get_all(domain.path, f"{NAME}.Domain")
        self.assertEqual(expected, {name: values[name] for name in expected})
        domain.start()
        self.assertEqual("/usr/bin/qemu-system-x86_64", domain.get("Domain", "Emulator"))
        self.assertEqual(2, len(domain.qmp("query-cpus-fast")))


class Transient(DefinitionCase):
    def test_comes_and_goes(self):
        since = self.mark()
        domain = self.create("passing", machine="none")
        self.assertFalse(domain.get("Domain", "Persistent"))
        domain.destroy()
        self.mark()
        stamped = [(s.name, s.arguments[0]) for s in self.recorder.signals[since:]
                   if s.interface != PROPERTIES]
        self.assertEqual([(f"{OBJECT_MANAGER}.InterfacesAdded", domain.path),
                          ("Domain.Lifecycle", "starting"), ("Domain.Lifecycle", "started"),
                          ("Domain.Lifecycle", "shutdown"), ("Domain.Lifecycle", "stopped"),
                          (f"{OBJECT_MANAGER}.InterfacesRemoved", domain.path)], stamped)
        # Who was answered finds nothing left of it.
        self.assertEqual([], self.list())
        self.assertEqual([], os.listdir(life.definitions_folder()))
        self.assertEqual([], os.listdir(life.runtime_folder()))

    def test_paused(self):
        path = self.manager("CreateDomain", "(sa{sv})",
                            json.dumps(harness.definition("passing", machine="none")),
                            harness.options(paused=True))
        self.assertEqual("paused", self.connection.get(path, f"{NAME}.Domain", "State"))

    def test_refused_by_qemu(self):
        since = self.mark()
        text = self.assert_fails("StartFailed", self.create, "wrong", machine="nonsense")
        self.assertIn("unsupported machine type", text)
        self.mark()
        self.assertEqual([], self.list())
        self.assertEqual([], os.listdir(life.runtime_folder()))
        stopped = self.recorder.find("Domain.Lifecycle", "stopped", since=since)
        self.assertEqual([("stopped", "failed", "shut-off")], [s.arguments[:3] for s in stopped])
        self.assertIn("unsupported machine type", stopped[0].details["stderr"])


class Reloading(DefinitionCase):
    def reload(self):
        self.manager("Reload")
        return self.mark()

    def test_nothing_changed(self):
        self.define("same", interfaces=[{"id": "net0", "type": "user"}])
        since = self.mark()
        self.reload()
        self.assertEqual([], self.recorder.signals[since:])

    def test_new_changed_removed(self):
        changed, removed = self.define("changed", title="Before"), self.define("removed")
        document = self.definition_of(changed)
        document["title"] = "After"
        self.write("changed", document)
        os.unlink(path_of("removed"))
        self.write("new", {"name": "new"})
        since = self.mark()
        self.reload()
        self.assertEqual({("changed", "updated"), ("removed", "removed"), ("new", "added")},
                         {(s.details["name"], s.arguments[1])
                          for s in self.recorder.find("Domain.Lifecycle", since=since)})
        self.assertEqual(["changed", "new"], [name for _, name, _, _ in self.list()])
        self.assertEqual("After", changed.get("Domain", "Title"))
        self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", removed.start)
        # The uuid that was made up for it stays what it is.
        path = self.manager("GetDomain", "(s)", "new")
        identity = self.connection.get(path, f"{NAME}.Domain", "UUID")
        with open(path_of("new"), encoding="utf-8") as file:
            self.assertEqual(identity, json.load(file)["uuid"])
        since = self.mark()
        self.reload()
        self.assertEqual([], self.recorder.find("Domain.Lifecycle", since=since))

    def test_by_signal(self):
        self.list()
        self.write("new", {"name": "new"})
        os.kill(self.connection.service_pid(), signal.SIGHUP)
        self.recorder.wait("Domain.Lifecycle", "defined", "added")

    def test_broken_file(self):
        """It is told in the log, and what it defined before stays."""
        domain = self.define("good")
        self.write("good", "{ this is no JSON")
        since = self.mark()
        self.reload()
        self.assertEqual([], self.recorder.find("Domain.Lifecycle", since=since))
        self.assertEqual("shut-off", domain.state)
        self.assertIn("good.json:1:3: is not valid JSON", life.service_log())
        os.unlink(path_of("good"))
        self.reload()
        self.assertEqual([], self.list())

    def test_removed_while_running(self):
        """What runs goes on, and goes when it stops."""
        domain = self.define("kept", machine="none")
        domain.start()
        pid = domain.get("Domain", "PID")
        os.unlink(path_of("kept"))
        since = self.mark()
        self.reload()
        self.assertTrue(life.lives(pid))
        self.assertEqual("running", domain.state)
        domain.destroy()
        self.recorder.wait(f"{OBJECT_MANAGER}.InterfacesRemoved", domain.path, since=since)


if __name__ == "__main__":
    harness.main()
