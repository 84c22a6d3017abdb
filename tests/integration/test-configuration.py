# SPDX-License-Identifier: LGPL-2.1-or-later
"""vmherald.conf with the whole service: what is in force after a start and after Reload(), and that a file that is bad
changes nothing and is told with its path and line."""
import json
import os
import shutil
import signal
import subprocess

import harness
import life
from harness import GLib, wait_until

LOG_CONTROL = "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1"
EX_CONFIG = 78


def folder():
    return os.path.join(os.environ["XDG_CONFIG_HOME"], "vmherald")


def path_of(name):
    return os.path.join(folder(), name)


def write(name, *lines):
    os.makedirs(os.path.dirname(path_of(name)), exist_ok=True)
    with open(path_of(name), "w", encoding="utf-8") as file:
        file.write("".join(line + "\n" for line in lines))


class Configuration(life.LifeCase):
    def setUp(self):
        super().setUp()
        self.addCleanup(self.reset)

    def reset(self):
        for name in ("vmherald.conf", "vmherald.conf.d"):
            if os.path.isdir(path_of(name)):
                shutil.rmtree(path_of(name))
            elif os.path.lexists(path_of(name)):
                os.unlink(path_of(name))
        self.manager("Reload")

    def level(self):
        return self.connection.get(*LOG_CONTROL, "LogLevel")

    def run_service(self, *options):
        return subprocess.run([os.path.join(harness.folder(), "activated"), "--session", *options], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding="utf-8",
                              timeout=harness.DEADLINE)

    def test_reload(self):
        self.assertEqual("info", self.level())
        write("vmherald.conf", "[Service]", "LogLevel=debug")
        self.manager("Reload")
        self.assertEqual("debug", self.level())
        write("vmherald.conf.d/10.conf", "[Service]", "LogLevel=notice")
        self.manager("Reload")
        self.assertEqual("notice", self.level())
        self.assertIn("[Service] LogLevel=debug is in force now", life.service_log())

    def test_set_over_the_bus(self):
        """A level that was set there stays, until the file says another than it said."""
        write("vmherald.conf", "[Service]", "LogLevel=warning")
        self.manager("Reload")
        self.connection.set(*LOG_CONTROL, "LogLevel", GLib.Variant("s", "debug"))
        self.manager("Reload")
        self.assertEqual("debug", self.level())
        write("vmherald.conf", "[Service]", "LogLevel=notice")
        self.manager("Reload")
        self.assertEqual("notice", self.level())

    def test_needs_a_restart(self):
        write("vmherald.conf", "[Service]", "HistoryEvents=17")
        self.manager("Reload")
        self.assertIn("[Service] HistoryEvents=17 is what the service begins with when it is started again",
                      life.service_log())

    def test_command_line_wins(self):
        """The service was started with --shutdown-timeout=77."""
        write("vmherald.conf", "[Service]", "ShutdownTimeout=5s", "IdleTimeout=1h")
        shown = self.run_service("--shutdown-timeout=77", "--check-config").stdout.splitlines()
        self.assertIn("ShutdownTimeout=77s", shown)
        self.assertIn("IdleTimeout=1h", shown)
        self.manager("Reload")
        self.assertIn("[Service] IdleTimeout=1h is in force now", life.service_log())
        self.assertNotIn("ShutdownTimeout=5s", life.service_log())

    def test_bad_at_reload(self):
        """Neither what is good in it is taken in, nor the definitions."""
        write("vmherald.conf", "[Service]", "LogLevel=debug", "IdleTimeout=soon")
        write("vmherald.conf.d/20.conf", "[Limits]", "DomainMax=1")
        os.makedirs(life.definitions_folder(), exist_ok=True)
        with open(os.path.join(life.definitions_folder(), "new.json"), "w", encoding="utf-8") as file:
            json.dump(harness.definition("new", machine="none"), file)
        before = life.service_log()
        text = self.assert_fails("InvalidConfiguration", self.manager, "Reload")
        self.assertIn(f"{path_of('vmherald.conf')}:3: IdleTimeout= must be a time", text)
        self.assertIn(f"{path_of('vmherald.conf.d/20.conf')}:2: there is no DomainMax= in [Limits], but DomainsMax=",
                      text)
        self.assertEqual("info", self.level())
        self.assertEqual([], self.manager("ListDomains", "(a{sv})", {}))
        told = life.service_log()[len(before):]
        self.assertIn(f"{path_of('vmherald.conf')}:3: IdleTimeout=", told)
        self.assertIn(f"{path_of('vmherald.conf.d/20.conf')}:2: ", told)
        # Mended, all of it comes at once.
        write("vmherald.conf", "[Service]", "LogLevel=debug")
        write("vmherald.conf.d/20.conf")
        self.manager("Reload")
        self.assertEqual("debug", self.level())
        self.assertEqual(["new"], [row[1] for row in self.manager("ListDomains", "(a{sv})", {})])

    def test_hang_up(self):
        """SIGHUP is the same, with nobody to be answered."""
        write("vmherald.conf", "[Service]", "LogLevel=bad")
        pid = self.connection.service_pid()
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: f"{path_of('vmherald.conf')}:2: LogLevel= must be one of emerg" in life.service_log(),
                   "the record")
        write("vmherald.conf", "[Service]", "LogLevel=notice")
        os.kill(pid, signal.SIGHUP)
        wait_until(lambda: self.level() == "notice", "the level")

    def test_bad_at_start(self):
        """It does not run with less than what is written there."""
        write("vmherald.conf", "[QEMU]", "RequireSandbox=yess")
        before = life.service_log()
        self.assertEqual(EX_CONFIG, self.run_service().returncode)
        told = life.service_log()[len(before):]
        self.assertIn(f"error: {path_of('vmherald.conf')}:2: RequireSandbox= must be yes or no, not 'yess'", told)

    def test_check(self):
        done = self.run_service("--check-config")
        self.assertEqual(0, done.returncode)
        self.assertIn("[Limits]\nDomainsMax=infinity\n", done.stdout)
        # What it shows is a file itself.
        write("vmherald.conf", done.stdout)
        self.assertEqual(done.stdout, self.run_service("--check-config").stdout)
        write("vmherald.conf", "nonsense")
        done = self.run_service("--check-config")
        self.assertEqual((EX_CONFIG, ""), (done.returncode, done.stdout))
        self.assertIn(f"{path_of('vmherald.conf')}:1: 'nonsense' is neither a [Section] nor", life.service_log())

    def test_bad_options(self):
        for option in ("--idle-timeout=-1", "--history-size=1", "--history-events=x", "--log-level=loud"):
            with self.subTest(option=option):
                self.assertEqual(2, self.run_service(option).returncode)
        self.assertIn("vmherald: --history-size: must be a size in bytes (or with K, M, G) from 64K to 1G, not '1'",
                      life.service_log())


if __name__ == "__main__":
    harness.main("--shutdown-timeout=77")
