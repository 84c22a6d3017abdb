# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of definitions: taken in by Reload(), bad ones told and what they defined before kept; and domains that get
another name, by a file or by DefineDomain()."""
import json
import os
import re
import signal
import subprocess
import uuid

import harness
import life
from harness import NAME, PATH, Domain

MANAGER = f"{NAME}.Manager"


def path_of(name):
    return os.path.join(life.definitions_folder(), name + ".json")


def files():
    """Hidden ones are nobody's definition."""
    return sorted(name for name in os.listdir(life.definitions_folder())
                  if not name.startswith("."))


class ReloadCase(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.remove_files)

    def remove_files(self):
        """What is bad is nobody's, and the next case finds it."""
        for name in files():
            os.unlink(os.path.join(life.definitions_folder(), name))
        self.manager("Reload")

    def definition_of(self, domain, **values):
        return json.loads(domain.call("Domain", "GetDefinition", "(a{sv})",
                                      harness.options(**values)))

    def changed(self, domain, **keys):
        """The document as it is, with these keys changed."""
        document = self.definition_of(domain)
        document.update({key.replace("_", "-"): value for key, value in keys.items()})
        return document

    def redefine(self, domain, **keys):
        return self.manager("DefineDomain", "(sa{sv})",
                            json.dumps(self.changed(domain, **keys)), {})

    @staticmethod
    def write(name, document):
        """As an editor does: the file is another one afterwards."""
        text = document if isinstance(document, str) else json.dumps(document)
        with open(path_of(name) + "~", "w", encoding="utf-8") as file:
            file.write(text)
        os.rename(path_of(name) + "~", path_of(name))

    @staticmethod
    def read(name):
        with open(path_of(name), encoding="utf-8") as file:
            return json.load(file)

    def reload(self):
        """Returns what was wrong with the files, in the form of the log."""
        self.manager("Reload")
        self.mark()
        return self.problems()

    def problems(self):
        return [(os.path.basename(file), line, column, path)
                for file, line, column, path, _ in self.connection.get(PATH, MANAGER,
                                                                       "DefinitionProblems")]

    def told(self, since):
        """(name, event, reason) of each Lifecycle signal."""
        self.mark()
        return [(s.details["name"], *s.arguments[:2])
                for s in self.recorder.find("Domain.Lifecycle", since=since)]

    def names(self):
        return [name for _, name, _, _ in self.manager("ListDomains", "(a{sv})", {})]


class BadFiles(ReloadCase):
    def test_only_its_own_domain_is_kept(self):
        kept, removed = self.define("kept", title="Before"), self.define("removed")
        self.write("kept", '{\n  "name": "kept",\n  "title": "After",\n  "cpus": "two"\n}\n')
        os.unlink(path_of("removed"))
        self.write("new", {"name": "new"})
        self.write("other", "{\n\n")
        since = self.mark()
        expected = [("kept.json", 4, 3, "cpus"), ("other.json", 3, 1, "")]
        self.assertEqual(expected, self.reload())
        self.assertEqual([("removed", "undefined", "removed"), ("new", "defined", "added")],
                         self.told(since))
        self.assertEqual(["kept", "new"], self.names())
        self.assertEqual("Before", kept.get("Domain", "Title"))
        self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", removed.start)
        kept.start()
        # Told as state, and in the log as compilers do.
        told = self.recorder.wait("org.freedesktop.DBus.Properties.PropertiesChanged", MANAGER,
                                  since=since)
        self.assertEqual(2, len(told.arguments[1]["DefinitionProblems"]))
        self.assertRegex(life.service_log(), re.escape(path_of("kept")) + r":4:3: cpus: must be ")
        self.assertRegex(life.service_log(), re.escape(path_of("other")) + r":3:1: is not valid JSON")

        # Repaired.
        since = self.mark()
        self.write("kept", self.changed(kept, title="After"))
        os.unlink(path_of("other"))
        self.assertEqual([], self.reload())
        self.recorder.wait_property("Manager", "DefinitionProblems", [], since=since)
        self.assertEqual("After", self.definition_of(kept)["title"])

    def test_uuid_in_a_bad_file(self):
        """It was renamed and broken at once: whose it is can still be seen."""
        domain = self.define("before")
        document = json.dumps(self.changed(domain, name="after"))
        os.unlink(path_of("before"))
        self.write("after", document[:-1])
        since = self.mark()
        self.assertEqual("after.json", self.reload()[0][0])
        self.assertEqual([], self.told(since))
        self.assertEqual(["before"], self.names())
        self.write("after", document)
        self.assertEqual([], self.reload())
        self.assertEqual([("after", "defined", "renamed")], self.told(since))

    def test_at_the_start(self):
        self.define("good")
        self.write("bad", '{"name": "bad",\n "cpu": 5}')
        self.connection.kill_service()
        self.assertEqual(["good"], self.names())
        self.assertEqual([("bad.json", 2, 2, "cpu")], self.problems())

    def test_not_written_over(self):
        """What nobody has read may be all there is."""
        mine = self.define("mine")
        self.write("web", "by hand")
        for _ in range(2):
            self.assertIn("web.json", self.assert_fails("DomainExists", self.define, "web"))
            self.assertIn("web.json",
                          self.assert_fails("DomainExists", self.redefine, mine, name="web"))
            with open(path_of("web"), encoding="utf-8") as file:
                self.assertEqual("by hand", file.read())
            self.assertEqual(["mine"], self.names())
            self.assertEqual(["mine.json", "web.json"], files())
            # Read, and found bad, it is still somebody's work.
            self.reload()
        os.unlink(path_of("web"))
        self.redefine(mine, name="web")
        self.assertEqual(["web.json"], files())

    def test_no_folder(self):
        """It is put away for a while: nobody is undefined because of that."""
        domain = self.define("kept")
        folder = life.definitions_folder()
        os.rename(folder, folder + "-away")
        since = self.mark()
        self.manager("Reload")
        self.assertEqual([folder], [p[0] for p in self.connection.get(PATH, MANAGER,
                                                                      "DefinitionProblems")])
        self.assertEqual([], self.told(since))
        self.assertEqual("shut-off", domain.state)
        os.rename(folder + "-away", folder)
        self.assertEqual([], self.reload())


class CommandLine(ReloadCase):
    def ctl(self, *arguments):
        return subprocess.run(["vmheraldctl", *arguments], capture_output=True, text=True, check=False,
                              timeout=harness.DEADLINE, env=dict(os.environ, LC_ALL="C.UTF-8"))

    def test_reload(self):
        self.write("good", {"name": "good"})
        self.write("bad", '{"name": "bad",\n "cpus": 0}')
        done = self.ctl("reload")
        self.assertEqual((1, ""), (done.returncode, done.stderr))
        self.assertEqual([path_of("bad") + ":2:2: cpus"],
                         [line.rpartition(": ")[0] for line in done.stdout.splitlines()])
        self.assertEqual(["good"], self.names())
        os.unlink(path_of("bad"))
        done = self.ctl("reload")
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))


class Reloads(ReloadCase):
    def test_running_domain_is_changed_at_its_next_start(self):
        domain = self.define("busy", machine="none", title="Before")
        domain.start()
        self.write("busy", self.changed(domain, title="After"))
        since = self.mark()
        self.assertEqual([], self.reload())
        self.assertEqual([("busy", "defined", "updated")], self.told(since))
        self.assertEqual("Before", domain.get("Domain", "Title"))
        domain.destroy()
        self.assertEqual("After", domain.get("Domain", "Title"))

    def test_replaced_by_another(self):
        """The uuid is what a domain is, not its name."""
        old = self.define("web")
        identity = str(uuid.uuid4())
        self.write("web", {"name": "web", "uuid": identity})
        since = self.mark()
        self.assertEqual([], self.reload())
        self.assertEqual([("web", "undefined", "removed"), ("web", "defined", "added")],
                         self.told(since))
        path = self.manager("GetDomain", "(s)", "web")
        self.assertNotEqual(old.path, path)
        self.assertEqual(identity, self.connection.get(path, f"{NAME}.Domain", "UUID"))

    def test_many_at_once(self):
        """While others define: each is answered, and nobody is lost."""
        calls = []
        for number in range(10):
            calls.append(self.connection.send(PATH, MANAGER, "Reload"))
            calls.append(self.connection.send(
                PATH, MANAGER, "DefineDomain", "(sa{sv})",
                json.dumps(harness.definition(f"d{number}")), {}))
            if number % 3 == 0:
                os.kill(self.connection.service_pid(), signal.SIGHUP)
        for call in calls:
            call.result()
        self.assertEqual([], self.reload())
        self.assertEqual([f"d{number}" for number in range(10)], self.names())
        self.assertEqual([f"d{number}.json" for number in range(10)], files())


class ChangedByHand(ReloadCase):
    def changed_files(self):
        return self.connection.get(PATH, MANAGER, "DefinitionsChanged")

    def wait_changed(self, names, since):
        self.recorder.wait_property("Manager", "DefinitionsChanged", names, since=since)
        self.assertEqual(names, self.changed_files())

    def test_told_and_not_used(self):
        web, gone = self.define("web", title="Before"), self.define("gone")
        web.call("Domain", "SetAutostart", "(b)", True)
        self.redefine(web, autostart=False)
        self.assertEqual([], self.changed_files())
        since = self.mark()
        with open(path_of("web"), encoding="utf-8") as file:
            original = file.read()
        self.write("web", self.changed(web, title="After"))
        self.wait_changed(["web.json"], since)
        self.write("new", {"name": "new"})
        self.wait_changed(["new.json", "web.json"], since)
        os.unlink(path_of("gone"))
        self.wait_changed(["gone.json", "new.json", "web.json"], since)
        self.assertIn("changed by hand, and used after a reload only: gone.json, new.json, web.json",
                      life.service_log())
        self.assertEqual([], self.told(since))
        self.assertEqual("Before", web.get("Domain", "Title"))
        self.assertEqual(["gone", "web"], self.names())
        # As it was: nothing to tell of that one.
        self.write("web", original)
        self.wait_changed(["gone.json", "new.json"], since)

        since = self.mark()
        self.assertEqual([], self.reload())
        self.wait_changed([], since)
        self.assertEqual(["new", "web"], self.names())
        self.assert_fails("org.freedesktop.DBus.Error.UnknownObject", gone.start)

    def test_own_writes(self):
        """Whatever the service does to its files is no news; the marker at the end is."""
        since = self.mark()
        for number in range(5):
            domain = self.define(f"d{number}")
            domain.call("Domain", "SetAutostart", "(b)", True)
            self.redefine(domain, name=f"e{number}", autostart=False)
        domain.undefine()
        self.write("by-hand", {"name": "by-hand"})
        self.wait_changed(["by-hand.json"], since)
        told = [s.arguments[1]["DefinitionsChanged"]
                for s in self.recorder.find("org.freedesktop.DBus.Properties.PropertiesChanged",
                                            MANAGER, since=since)
                if "DefinitionsChanged" in s.arguments[1]]
        self.assertEqual([["by-hand.json"]], told)

    def test_written_a_thousand_times(self):
        """Few looks, and the last state is told."""
        self.define("web")
        since = self.mark()
        for number in range(1000):
            self.write("web", {"name": "web", "title": str(number)})
            if number % 2:
                self.write("other", {"name": "other", "title": str(number)})
        os.unlink(path_of("web"))
        self.wait_changed(["other.json", "web.json"], since)
        told = self.recorder.find("org.freedesktop.DBus.Properties.PropertiesChanged", MANAGER,
                                  since=since)
        self.assertLessEqual(len(told), 3)

    def test_folder_replaced(self):
        web = self.define("web")
        folder = life.definitions_folder()
        since = self.mark()
        os.rename(folder, folder + "-old")
        self.wait_changed(["web.json"], since)
        os.mkdir(folder, 0o700)
        self.write("other", {"name": "other"})
        self.wait_changed(["other.json", "web.json"], since)
        os.unlink(path_of("other"))
        os.rename(os.path.join(folder + "-old", "web.json"), path_of("web"))
        self.wait_changed([], since)
        # And it is the new one that is watched.
        self.write("web", self.changed(web, title="After"))
        self.wait_changed(["web.json"], len(self.recorder.signals) - 1)
        os.rmdir(folder + "-old")


class RenamedByFile(ReloadCase):
    def test_renamed(self):
        domain = self.define("ugly", title="Before")
        self.write("ugly", self.changed(domain, name="handsome", title="After"))
        self.define("other")
        since = self.mark()
        self.assertEqual([], self.reload())
        self.assertEqual([("handsome", "defined", "renamed")], self.told(since))
        signals = self.recorder.find("Domain.Lifecycle", since=since)
        self.assertEqual("ugly", signals[0].details["old-name"])
        self.assertEqual(["handsome.json", "other.json"], files())
        self.assertEqual(domain.path, self.manager("GetDomain", "(s)", "handsome"))
        self.assert_fails("NoSuchDomain", self.manager, "GetDomain", "(s)", "ugly")
        self.assertEqual("handsome", domain.get("Domain", "Name"))

    def test_file_moved(self):
        """Its name alone says nothing: it gets its own again."""
        domain = self.define("web")
        os.rename(path_of("web"), path_of("elsewhere"))
        since = self.mark()
        self.assertEqual([], self.reload())
        self.assertEqual([], self.told(since))
        self.assertEqual(["web.json"], files())
        self.assertEqual("web", domain.get("Domain", "Name"))

    def test_exchanged(self):
        """Two files exchange the names of two domains, which is not possible one after the other."""
        one, two = self.define("one", title="1"), self.define("two", title="2")
        self.write("one", self.changed(one, name="two"))
        self.write("two", self.changed(two, name="one"))
        since = self.mark()
        self.assertEqual([], self.reload())
        self.assertEqual({("one", "defined", "renamed"), ("two", "defined", "renamed")},
                         set(self.told(since)))
        for _ in range(2):
            self.assertEqual(two.path, self.manager("GetDomain", "(s)", "one"))
            self.assertEqual(one.path, self.manager("GetDomain", "(s)", "two"))
            self.assertEqual(["one.json", "two.json"], files())
            self.assertEqual("2", self.read("one")["title"])
            self.assertEqual("1", self.read("two")["title"])
            # What is written now goes to the right file.
            one.call("Domain", "SetAutostart", "(b)", True)
            self.assertTrue(self.read("two")["autostart"])
            self.assertNotIn("autostart", self.read("one"))
            self.connection.kill_service()

    def test_name_taken(self):
        one, two = self.define("one"), self.define("two")
        self.write("one", self.changed(one, name="two", title="After"))
        since = self.mark()
        self.assertEqual([("one.json", 0, 0, "name")], self.reload())
        self.assertEqual([], self.told(since))
        self.assertEqual(["one", "two"], self.names())
        self.assertEqual("", one.get("Domain", "Title"))
        # Nothing is lost: with the other out of the way it is what was meant.
        two.undefine()
        self.assertEqual([], self.reload())
        self.assertEqual(["two"], self.names())
        self.assertEqual("After", one.get("Domain", "Title"))
        self.assertEqual(["two.json"], files())

    def test_while_running(self):
        domain = self.define("busy", machine="none")
        domain.start()
        self.write("busy", self.changed(domain, name="idle"))
        since = self.mark()
        self.assertEqual([("busy.json", 0, 0, "name")], self.reload())
        self.assertIn("shut it down and reload", life.service_log())
        self.assertEqual([], self.told(since))
        self.assertEqual("busy", domain.get("Domain", "Name"))
        self.assertEqual("running", domain.state)
        domain.destroy()
        self.assertEqual([], self.reload())
        self.assertEqual("idle", domain.get("Domain", "Name"))
        self.assertEqual(["idle.json"], files())

    def test_renamed_while_the_service_was_away(self):
        """What runs goes by its new name at once; all else of it is what was started."""
        domain = self.define("before", machine="none", title="Before")
        domain.start()
        pid = domain.get("Domain", "PID")
        document = self.changed(domain, name="after", title="After")
        os.kill(self.connection.service_pid(), signal.SIGSTOP)
        self.write("before", document)
        self.connection.kill_service()
        self.assertEqual(("running", "after", "Before", pid),
                         tuple(domain.get("Domain", name)
                               for name in ("State", "Name", "Title", "PID")))
        self.assertEqual("Before", self.definition_of(domain, live=True)["title"])
        self.assertEqual("After", self.definition_of(domain)["title"])
        self.assertEqual(["after.json"], files())
        self.assertEqual(domain.path, self.manager("GetDomain", "(s)", "after"))
        domain.destroy()
        self.assertEqual("After", domain.get("Domain", "Title"))
        domain.start()

    def test_copied_with_its_uuid(self):
        """The copy does not take the place of what it was made from."""
        domain = self.define("web")
        self.write("a-copy", self.changed(domain, name="a-copy"))
        self.assertEqual([("a-copy.json", 0, 0, "uuid")], self.reload())
        self.assertEqual(["web"], self.names())
        self.assertEqual(["a-copy.json", "web.json"], files())


class RenamedByCall(ReloadCase):
    def test_told(self):
        domain = self.define("ugly")
        since = self.mark()
        self.assertEqual(domain.path, self.redefine(domain, name="handsome"))
        # At once, whoever asks.
        self.assertEqual(domain.path, self.manager("GetDomain", "(s)", "handsome"))
        self.assertEqual([("handsome", "defined", "renamed")], self.told(since))
        signals = self.recorder.find("Domain.Lifecycle", since=since)
        self.assertEqual("ugly", signals[0].details["old-name"])

    def test_taken_name(self):
        one = self.define("one", title="1")
        self.define("two", title="2")
        self.assert_fails("DomainExists", self.redefine, one, name="two", title="3")
        self.assertEqual(["1", "2"], [self.read(name)["title"] for name in ("one", "two")])
        self.assertEqual("1", one.get("Domain", "Title"))

    def test_killed_at_any_point(self):
        """Either it was renamed or it was not: there is one file, and the domain is in it."""
        domain = self.define("name-0", title="It")
        identity = domain.get("Domain", "UUID")
        old, renamed = "name-0", 0
        for number in range(1, 17):
            new = f"name-{number}"
            call = self.connection.send(PATH, MANAGER, "DefineDomain", "(sa{sv})",
                                        json.dumps(self.changed(domain, name=new)), {})
            self.connection.bus.flush_sync(None)
            # Each time a little later: so many turns of asking the bus.
            for _ in range(4 * (number - 1)):
                self.connection.call_bus("GetId")
            self.connection.kill_service()
            [name] = self.names()
            self.assertIn(name, (old, new))
            self.assertEqual([name + ".json"], files())
            document = self.read(name)
            self.assertEqual((name, identity, "It"),
                             (document["name"], document["uuid"], document["title"]))
            self.assertEqual(domain.path, self.manager("GetDomain", "(s)", name))
            renamed += name == new
            old = name
            del call
        harness.note(f"renamed in {renamed} of 16 kills")


if __name__ == "__main__":
    harness.main()
