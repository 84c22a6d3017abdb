# SPDX-License-Identifier: LGPL-2.1-or-later
"""What dpkg runs when the package was removed, and when it is purged: nothing that a running guest needs goes, nor an
image; everything else that the service has made does. Each case has /run, /var and /etc of its own, in a namespace."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import tap

SCRIPT = os.path.join(os.environ["VMHERALD_SOURCE"], "debian", "vmherald.postrm")
PLACES = ("/run", "/var", "/etc")
UUID = "0b8f4d3e-6a52-4c1b-9d7e-2f1a5c3e7d90"
MADE = ("/etc/vmherald/domains/web.json", "/var/lib/vmherald/sequence", "/var/lib/vmherald/lock",
        f"/var/lib/vmherald/nvram/{UUID}.vars", f"/var/lib/vmherald/saved/{UUID}", f"/var/log/vmherald/{UUID}/qemu.log",
        f"/run/vmherald/domains/{UUID}/run.json", "/run/vmherald/history")
IMAGE = "/var/lib/vmherald/images/web.qcow2"
INSIDE = "VMHERALD_TEST_INSIDE"


def write(path, text="x"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def start_time(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return int(file.read().rpartition(")")[2].split()[19])


def write_run(pid, started):
    """As the service writes it. The definition is the author's, and may look like what is looked for."""
    bait = json.dumps({"pid": 1, "start-time": start_time(1)}, separators=(",", ":"))
    write(f"/run/vmherald/domains/{UUID}/run.json",
          json.dumps({"version": 1, "incarnation": 3, "pid": pid, "start-time": started, "definition": bait},
                     separators=(",", ":")))


def left():
    """All files below the places, but those that the system has."""
    return sorted(os.path.join(folder, name) for place in PLACES for folder, folders, names in os.walk(place)
                  for name in names)


class Postrm(unittest.TestCase):
    def setUp(self):
        for place in PLACES:
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
            self.addCleanup(subprocess.run, ["umount", place], check=True)

    def run_script(self, action):
        return subprocess.run(["sh", SCRIPT, action], capture_output=True, text=True, check=False)

    def make(self):
        for path in MADE:
            write(path)
        os.makedirs(os.path.dirname(IMAGE))

    def guest(self, name="guest"):
        """A process that is known as one, with a name that has blanks and a parenthesis."""
        folder = tempfile.mkdtemp(dir="/run")
        program = os.path.join(folder, name)
        shutil.copy(shutil.which("sleep"), program)
        process = subprocess.Popen([program, "600"])

        def end():
            process.kill()
            process.wait()
        self.addCleanup(end)
        self.addCleanup(shutil.rmtree, folder)
        return process

    def test_purge(self):
        self.make()
        write_run(999999999, 5)
        done = self.run_script("purge")
        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual([], left())
        for folder in ("/etc/vmherald", "/var/lib/vmherald", "/var/log/vmherald", "/run/vmherald"):
            self.assertFalse(os.path.exists(folder), folder)

    def test_purge_of_what_was_never_started(self):
        self.assertEqual(0, self.run_script("purge").returncode)
        os.makedirs("/etc/vmherald")
        self.assertEqual(0, self.run_script("purge").returncode)
        self.assertEqual([], left())

    def test_images_stay(self):
        self.make()
        write(IMAGE)
        done = self.run_script("purge")
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual([IMAGE], left())
        self.assertIn("/var/lib/vmherald/images", done.stdout)

    def test_what_others_put_there_stays(self):
        self.make()
        write("/etc/vmherald/notes")
        self.assertEqual(0, self.run_script("purge").returncode)
        self.assertEqual(["/etc/vmherald/notes"], left())

    def test_no_purge_under_a_guest(self):
        self.make()
        process = self.guest("a ) 1 2 guest")
        write_run(process.pid, start_time(process.pid))
        before = left()
        done = self.run_script("purge")
        self.assertEqual(1, done.returncode)
        self.assertIn(f"process {process.pid}, domain {UUID}", done.stderr)
        self.assertEqual(before, left())
        # And when it has ended.
        process.kill()
        process.wait()
        self.assertEqual(0, self.run_script("purge").returncode)

    def test_a_number_that_was_given_again(self):
        self.make()
        process = self.guest()
        write_run(process.pid, start_time(process.pid) - 1)
        self.assertEqual(0, self.run_script("purge").returncode)

    def test_a_file_that_says_nothing(self):
        for text in ("", "{}", "\0\1", '{"pid":,"start-time":}', '{"pid":0,"start-time":0}'):
            write(f"/run/vmherald/domains/{UUID}/run.json", text)
            self.assertEqual(0, self.run_script("purge").returncode, text)

    def test_removal_leaves_all(self):
        self.make()
        process = self.guest()
        write_run(process.pid, start_time(process.pid))
        before = left()
        done = self.run_script("remove")
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn(f"process {process.pid}, domain {UUID}", done.stdout)
        self.assertEqual(before, left())

    def test_upgrade_does_nothing(self):
        self.make()
        before = left()
        for action in ("upgrade", "failed-upgrade", "abort-install", "abort-upgrade", "disappear"):
            done = self.run_script(action)
            self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))
        self.assertEqual(before, left())


def go_inside():
    """Into a namespace, or says why not."""
    if os.geteuid() != 0:
        return "folders of root can be played by root alone"
    if INSIDE in os.environ:
        return None
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        return "there can be no mount namespace"
    os.execvpe("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable, *sys.argv],
               os.environ | {INSIDE: "1"})


if __name__ == "__main__":
    reason = go_inside()
    if reason:
        Postrm = unittest.skip(reason)(Postrm)
    tap.main()
