# SPDX-License-Identifier: LGPL-2.1-or-later
"""Those who mean no good: a stranger, a member, a member who may define domains, a QEMU, and one who says it was one."""
import json
import os

import system_case
from machine import TESTS, wait_until
from person import ACCESS_DENIED, INTERACTIVE, Refused

RULES = "/etc/polkit-1/rules.d/10-test.rules"
BOB_MAY = """
polkit.addRule(function(action, subject) {
    if (subject.user == "bob" && action.id.indexOf("org.vmherald.domains1.") == 0)
        return polkit.Result.YES;
});
"""
NAMES = ("..", "../../etc/cron.d/x", "a/b", "/etc/passwd", "a\\u0000b", ".hidden", "-rf", "", "x" * 65, "a\\nb", "a b", "é")
UUIDS = ("../../../etc/passwd", "00000000-0000-0000-0000-00000000000/", "", "..")
FOLDERS = ("/run/vmherald", "/run/vmherald/domains", "/var/lib/vmherald", "/var/lib/vmherald/images", "/var/log/vmherald",
           "/etc/vmherald", "/etc/vmherald/domains")
GROWTH_KIB = 48 << 10            # of the service, by whatever a client does; above it, something is kept
BUS_TAKES_MIB = 30               # the system bus of Debian takes messages of 32
HUGE_MIB = 128
CALLS = 20000
EVENTS = 200000


class Attacks(system_case.SystemCase):
    def setUp(self):
        self.root = self.person("root")
        self.addCleanup(self.remove_domains)

    def attack(self, user, *arguments):
        out = self.machine.run("python3", "-B", f"{TESTS}/inside_attack.py", *map(str, arguments), user=user).stdout
        return json.loads(out.splitlines()[-1])

    def let_bob(self):
        """Whatever polkit is asked about him; the bus is still in the way of the rest."""
        self.machine.write(RULES, BOB_MAY)
        self.addCleanup(self.machine.run, "rm", RULES)
        bob = self.person("bob")
        def may():
            try:
                bob.manager("Reload")
            except Refused as refused:
                if refused.name in (ACCESS_DENIED, INTERACTIVE):
                    return False
                raise
            return True
        wait_until(may, "polkit to read its rules")
        return bob

    def memory(self):
        """KiB that are the service's own."""
        rollup = self.machine.read(f"/proc/{self.service_pid()}/smaps_rollup")
        return int([line.split()[1] for line in rollup.splitlines() if line.startswith("Private_Dirty:")][0])

    def descriptors(self):
        return len(self.machine.run("ls", f"/proc/{self.service_pid()}/fd").stdout.split())

    def files(self):
        """All that is there, but for what the system itself writes meanwhile."""
        return set(self.machine.run("find", "/etc", "/var", "/run", "/root", "/home", "/tmp", "-xdev", "-not", "-path",
                                    "*/journal/*", "-not", "-path", "/run/systemd/*").stdout.splitlines())

    def assert_still_serves(self, pid, memory, descriptors):
        """The same service, no larger than it was, answers others."""
        self.assertEqual(pid, self.service_pid())
        self.root.manager("ListDomains", "(a{sv})", {})
        wait_until(lambda: self.descriptors() <= descriptors + 2, lambda: f"{self.descriptors()} descriptors, {descriptors}")
        self.assertLess(self.memory(), memory + GROWTH_KIB)

    def service_now(self):
        self.root.manager("ListDomains", "(a{sv})", {})
        return self.service_pid(), self.memory(), self.descriptors()

    # ---- names and files ----

    def test_names_are_no_paths(self):
        """Of who may define: a name or uuid that would leave its folder is refused, and makes no file."""
        bob = self.let_bob()
        before = self.files()
        for name in NAMES:
            with self.subTest(name=name):
                self.assert_refused("InvalidDefinition", bob.manager, "DefineDomain", "(sa{sv})",
                                    '{"name": "%s"}' % name, {})
        for uuid in UUIDS:
            with self.subTest(uuid=uuid):
                self.assert_refused("InvalidDefinition", bob.manager, "DefineDomain", "(sa{sv})",
                                    json.dumps({"name": "web1", "uuid": uuid}), {})
        for name in ("../web1", "/etc/passwd", "web1/../../x"):
            with self.subTest(lookup=name):
                self.assert_refused("NoSuchDomain", bob.manager, "GetDomain", "(s)", name)
        self.assertEqual(before, self.files())

    def test_nobody_plants_anything(self):
        """In the folders of the service: not a stranger, not a member, not QEMU's user."""
        self.root.manager("ListDomains", "(a{sv})", {})
        for user in ("mallory", "alice", "vmherald-qemu"):
            for folder in FOLDERS:
                if not self.machine.exists(folder):
                    continue
                with self.subTest(user=user, folder=folder):
                    planted = self.machine.run("ln", "-s", "/etc/shadow", f"{folder}/planted", user=user, check=False)
                    self.assertIn("Permission denied", planted.stderr)

    def test_links_in_the_runtime_folder(self):
        """Even if one were there: where a domain's folder is to be, a link to another's folder is not followed."""
        path = self.define("web1", self.root)
        uuid = self.root.get(path, "Domain", "UUID")
        self.machine.run("install", "-d", "/victim")
        self.machine.run("ln", "-s", "/victim", f"/run/vmherald/domains/{uuid}")
        self.addCleanup(self.machine.run, "rm", "-rf", "/victim", f"/run/vmherald/domains/{uuid}")
        try:
            self.root.domain(path, "Start", "(a{sv})", {})
        except Refused:
            pass                # to refuse is as good as to put a folder in its place
        self.assertEqual("", self.machine.run("ls", "-A", "/victim").stdout)

    def test_links_for_definitions(self):
        """A definition that is a link to a secret tells nothing of it."""
        secret = "secret-of-root-7341"
        self.machine.write("/root/secret", secret, mode="0600")
        self.machine.run("mkdir", "-p", "/etc/vmherald/domains")
        self.machine.run("ln", "-s", "/root/secret", "/etc/vmherald/domains/planted.json")
        self.addCleanup(self.machine.run, "rm", "-f", "/etc/vmherald/domains/planted.json", "/root/secret")
        try:
            self.root.manager("Reload")
        except Refused as refused:
            self.assertNotIn(secret, refused.message)
        self.assertNotIn(secret, self.machine.journal())

    # ---- identities ----

    def test_nobody_takes_the_name(self):
        self.root.manager("ListDomains", "(a{sv})", {})
        for user in ("mallory", "alice"):
            with self.subTest(user=user):
                self.assertEqual(ACCESS_DENIED, self.attack(user, "own_name")["error"])

    def test_the_sender_is_said_by_the_bus(self):
        """A call in the name of root's connection is still of who has sent it."""
        path = self.define("web1", self.root)
        for user in ("mallory", "alice"):
            with self.subTest(user=user):
                error = self.attack(user, "forge_sender", self.root.bus_name, path)["error"]
                self.assertIn(error, (ACCESS_DENIED, INTERACTIVE))
        self.assertEqual("shut-off", self.root.get(path, "Domain", "State"))

    def test_a_forged_signal(self):
        """Anybody may say something on a bus; who listens to the service does not hear it."""
        path = self.define("web1", self.root)
        alice = self.person("alice")
        alice.listen()
        self.attack("mallory", "forge_signal", path)
        self.root.domain(path, "Start", "(a{sv})", {})
        alice.wait_signal("Domain.Lifecycle", "started")
        self.assertEqual([], [one for one in alice.heard() if one.arguments[:1] == ("stopped",)])

    # ---- too much ----

    def test_a_flood_of_calls(self):
        """Of a member: others are served meanwhile, and nothing of it stays."""
        before = self.service_now()
        flood = self.machine.start("python3", "-B", f"{TESTS}/inside_attack.py", "flood", str(CALLS), user="alice")
        self.addCleanup(self.machine.stop, flood)
        served = 0
        while flood.poll() is None:
            self.root.manager("ListDomains", "(a{sv})", {})
            served += 1
        result = json.loads(flood.stdout.readline())
        self.assertGreater(served, 5)
        self.assertEqual(CALLS, sum(result["errors"].values()))
        self.assertLessEqual(set(result["errors"]), {"", "org.vmherald.Domains1.Error.LimitExceeded",
                                                     "org.freedesktop.DBus.Error.LimitsExceeded"}, result)
        self.assert_still_serves(*before)
        system_case.measured(f"{CALLS} calls at once: {result['errors']}, {served} of another answered meanwhile")

    def test_huge_arguments(self):
        """What the bus takes the service refuses by its size; for what it does not take, it ends the connection."""
        self.let_bob()
        before = self.service_now()
        result = self.attack("bob", "big", BUS_TAKES_MIB)
        self.assertIn(result["error"], ("org.vmherald.Domains1.Error.InvalidDefinition",
                                        "org.vmherald.Domains1.Error.LimitExceeded"))
        self.assert_still_serves(*before)
        result = self.attack("bob", "big", HUGE_MIB)
        self.assertNotEqual("", result["error"])
        self.assertTrue(result["closed"])
        self.assert_still_serves(*before)

    def test_descriptors_by_the_thousand(self):
        """Those that nobody has asked for are closed; of more than the bus takes nothing arrives."""
        self.let_bob()
        before = self.service_now()
        result = self.attack("bob", "descriptors", 16, 200)
        self.assertNotIn("", result["errors"])
        self.assert_still_serves(*before)
        self.assertNotIn("", self.attack("bob", "descriptors", 250, 4)["errors"])
        self.assert_still_serves(*before)

    # ---- monitors that are none ----

    def fake(self, user, what, count):
        path = f"/tmp/fake-{what}-{os.getpid()}"
        fake = self.machine.start("python3", "-B", f"{TESTS}/inside_attack.py", "fake_qemu", path, what, str(count), user=user)
        self.addCleanup(self.machine.stop, fake)
        self.assertTrue(json.loads(fake.stdout.readline())["listens"])
        self.addCleanup(self.machine.run, "rm", "-f", path)
        return path, fake

    def test_adopting_is_not_for_everybody(self):
        path, _ = self.fake("alice", "events", 1)
        self.assert_refused(INTERACTIVE, self.person("alice").manager, "AdoptDomain", "(ssa{sv})", "fake", path, {})
        self.assert_refused(ACCESS_DENIED, self.person("mallory").manager, "AdoptDomain", "(ssa{sv})", "fake", path, {})

    def test_a_monitor_without_an_end_of_line(self):
        before = self.service_now()
        path, fake = self.fake("mallory", "line", 1 << 20)
        with self.assertRaises(Refused):
            self.root.manager("AdoptDomain", "(ssa{sv})", "fake", path, {})
        result = json.loads(fake.stdout.readline())
        self.assertIn(result["ended"], ("BrokenPipeError", "ConnectionResetError"))
        self.assert_still_serves(*before)
        system_case.measured(f"a line without an end was cut off after {result['sent']} MiB")

    def test_a_monitor_that_floods(self):
        """Others are served; what it says are events of its own domain and no more."""
        path = self.define("web1", self.root)
        self.root.domain(path, "Start", "(a{sv})", {})
        before = self.service_now()
        monitor, fake = self.fake("mallory", "events", EVENTS)
        try:
            self.root.manager("AdoptDomain", "(ssa{sv})", "fake", monitor, {})
        except Refused as refused:
            system_case.measured(f"the fake was refused: {refused}")
        self.root.domain(path, "Suspend")
        self.root.domain(path, "Resume")
        self.assertEqual("running", self.root.get(path, "Domain", "State"))
        for _, name, _, _ in self.root.manager("ListDomains", "(a{sv})", {}):
            self.assertIn(name, ("web1", "fake"))
        self.remove_domains()
        self.machine.stop(fake)
        self.assert_still_serves(*before)


if __name__ == "__main__":
    system_case.main()
