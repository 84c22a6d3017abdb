# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pictures of a real QEMU's display, and the two other ways to reach for a guest that hangs: waking it up, and
the non-maskable interrupt."""
import fcntl
import os
import signal
import struct
import subprocess
import zlib

import harness
import life
from harness import Gio, GLib, NAME, options, wait_until

VGA = {"driver": "VGA", "id": "video0"}
SEALS = 1 | 2 | 4 | 8                # SEAL, SHRINK, GROW, WRITE
F_GET_SEALS = 1034


def chunks(picture):
    """(type, content) of each chunk of a PNG, whose checksums must be right."""
    assert picture.startswith(b"\x89PNG\r\n\x1a\n"), picture[:8]
    at, found = 8, []
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at:at + 8])
        content = picture[at + 8:at + 8 + length]
        (checksum,) = struct.unpack(">I", picture[at + 8 + length:at + 12 + length])
        assert checksum == zlib.crc32(kind + content), kind
        found.append((kind, content))
        at += 12 + length
    return found


def size_of(picture):
    """Width and height; the picture must be a whole one."""
    found = chunks(picture)
    assert (found[0][0], found[-1][0]) == (b"IHDR", b"IEND"), found
    width, height, depth, colour = struct.unpack(">IIBB", found[0][1][:10])
    pixels = zlib.decompress(b"".join(content for kind, content in found if kind == b"IDAT"))
    assert (depth, colour) in ((8, 2), (8, 6)), (depth, colour)
    assert len(pixels) == height * (1 + width * (3 if colour == 2 else 4))
    return width, height


class Screenshots(life.LifeCase):
    def take(self, domain, **values):
        """What the method gives back: a descriptor, which the test closes."""
        reply, descriptors = self.connection.bus.call_with_unix_fd_list_sync(
            NAME, domain.path, f"{NAME}.Domain", "Screenshot",
            GLib.Variant("(a{sv})", (values,)), GLib.VariantType("(h)"), Gio.DBusCallFlags.NONE,
            int(harness.DEADLINE * 1000), None, None)
        descriptor = descriptors.get(reply.unpack()[0])
        self.addCleanup(os.close, descriptor)
        return descriptor

    def take_picture(self, domain, **values):
        with os.fdopen(os.dup(self.take(domain, **values)), "rb") as file:
            return file.read()

    def assert_nothing_left(self, domain):
        """QEMU has one descriptor, however many pictures it has made."""
        self.assertEqual([1], [len(fdset["fds"]) for fdset in domain.qmp("query-fdsets")])

    def test_picture(self):
        domain = self.define("seen", devices=[VGA])
        domain.start()
        self.assertEqual((640, 480), min((640, 480), size_of(self.take_picture(domain))))
        self.assert_nothing_left(domain)
        domain.call("Domain", "Suspend")
        first, again = self.take_picture(domain), self.take_picture(domain, device=GLib.Variant("s", "video0"),
                                                                    head=GLib.Variant("u", 0))
        # It stands still.
        self.assertEqual(first, again)
        self.assert_nothing_left(domain)

    def test_what_is_shown(self):
        """The text of the firmware changes what is seen: so it is the guest's picture, and not any."""
        domain = self.define("shown", devices=[VGA], arguments=["-boot", "menu=on"])
        domain.start(paused=True)
        before = self.take_picture(domain)
        domain.call("Domain", "Resume")
        wait_until(lambda: self.take_picture(domain) != before, "the firmware to write something")

    def test_two_devices(self):
        domain = self.define("double", devices=[VGA, {"driver": "secondary-vga", "id": "video1"}])
        domain.start()
        for device in ("video0", "video1"):
            size_of(self.take_picture(domain, device=GLib.Variant("s", device)))
        self.assert_nothing_left(domain)

    def test_sealed(self):
        domain = self.define("sealed", devices=[VGA])
        # Both pictures are of the same.
        domain.start(paused=True)
        descriptor = self.take(domain)
        self.assertEqual(0, os.lseek(descriptor, 0, os.SEEK_CUR))
        self.assertEqual(SEALS, fcntl.fcntl(descriptor, F_GET_SEALS))
        self.assertRaises(PermissionError, os.write, descriptor, b"x")
        self.assertRaises(PermissionError, os.ftruncate, descriptor, 0)
        self.assertEqual(os.fstat(descriptor).st_size, len(self.take_picture(domain)))

    def test_refused(self):
        domain = self.define("blind")
        self.assertIn("shut-off; screenshot needs", self.assert_fails("WrongState", self.take, domain))
        domain.start()
        self.assertIn("There is no console", self.assert_fails("QemuError", self.take, domain))
        self.assertIn("nope", self.assert_fails("NoSuchDevice", self.take, domain,
                                                device=GLib.Variant("s", "nope")))
        self.assert_nothing_left(domain)
        for name, value in (("format", GLib.Variant("s", "png")), ("head", GLib.Variant("s", "0")),
                            ("device", GLib.Variant("u", 0))):
            self.assertIn(f"'{name}'", self.assert_fails("InvalidArgument", self.take, domain,
                                                         **{name: value}))

    def test_hung(self):
        """Others are served meanwhile; what was asked for ends in time, and is cleaned up later."""
        domain = self.define("hung", devices=[VGA])
        domain.start()
        pid = domain.get("Domain", "PID")
        os.kill(pid, signal.SIGSTOP)
        self.addCleanup(lambda: life.lives(pid) and os.kill(pid, signal.SIGCONT))
        call = domain.send("Domain", "Screenshot", "(a{sv})", options(timeout=3_000_000))
        self.assertIn("A screenshot of domain 'hung' is being made",
                      self.assert_fails("LimitExceeded", self.take, domain))
        self.assert_fails("MonitorTimeout", call.result)
        os.kill(pid, signal.SIGCONT)
        size_of(self.take_picture(domain))
        self.assert_nothing_left(domain)

    def test_after_restart(self):
        """The next service has another descriptor; and the guest stands still all the time, so QEMU closes none."""
        domain = self.define("again", devices=[VGA])
        domain.start(paused=True)
        first = self.take_picture(domain)
        self.connection.kill_service()
        self.assertEqual(first, self.take_picture(domain))
        self.assertEqual(first, self.take_picture(domain))
        self.assertGreaterEqual(2, sum(len(fdset["fds"]) for fdset in domain.qmp("query-fdsets")))

    def test_tool(self):
        domain = self.define("tool", devices=[VGA])
        domain.start()
        path = os.path.join(harness.folder(), "picture.png")
        subprocess.run(["vmheraldctl", "screenshot", "tool", path], check=True)
        with open(path, "rb") as file:
            size_of(file.read())
        done = subprocess.run(["vmheraldctl", "screenshot", "tool", "-", "--device=video0"], check=True,
                              capture_output=True)
        size_of(done.stdout)
        domain.destroy()
        done = subprocess.run(["vmheraldctl", "screenshot", "tool", path + "2"], check=False,
                              capture_output=True, text=True)
        self.assertEqual(1, done.returncode)
        self.assertIn("shut-off; screenshot needs", done.stderr)
        self.assertFalse(os.path.exists(path + "2"))


if __name__ == "__main__":
    harness.main()
