# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Debian of our own: a folder that mmdebstrap fills once, and that every machine of the system test stands on.

It is found again by what it was made of, so a second run has it at once; who wants what Debian has today removes
it. Nobody writes to it afterwards: machines have a layer of their own above it (machine.py)."""
import fcntl
import hashlib
import os
import shutil
import subprocess

SUITE = "bookworm"
# What the system has besides: the service manager and its bus, who is asked and who registers machines, what the
# packages depend on (they are installed without a network), and what the cases look with.
PACKAGES = (
    "systemd", "systemd-sysv", "libpam-systemd", "systemd-container", "dbus", "dbus-user-session", "polkitd",
    "qemu-system-x86", "libjson-glib-1.0-0", "libnl-route-3-200", "libsystemd0", "libglib2.0-0",
    "python3", "python3-gi", "gir1.2-glib-2.0", "libglib2.0-bin", "dbus-bin", "procps", "adduser",
)
# They would take dpkg's lock, and the processors, when it pleases them.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer")
# root may authenticate somebody to polkit; so polkit's agent needs a password for it.
ROOT_PASSWORD = "vmherald"
HOOKS = (
    f'chroot "$1" systemctl --quiet mask {" ".join(MASKED)}',
    f'echo root:{ROOT_PASSWORD} | chroot "$1" chpasswd',
)
MAKE_SECONDS = 400.0


class Unavailable(Exception):
    """Why there can be no machine here: the tests are skipped, with this."""


def command_for(place):
    hooks = [f"--customize-hook={hook}" for hook in HOOKS]
    return ["mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=APT::Install-Recommends \"false\"",
            "--dpkgopt=force-unsafe-io", f"--include={','.join(PACKAGES)}", *hooks, SUITE, place]


def key():
    return hashlib.sha256("\0".join(command_for("")).encode()).hexdigest()[:16]


def look_for_tools():
    """Raises Unavailable if something is missing that no test can bring."""
    if os.geteuid() != 0:
        raise Unavailable("only root can boot a machine")
    missing = [program for program in ("mmdebstrap", "systemd-nspawn", "unshare", "nsenter")
               if not shutil.which(program)]
    if missing:
        raise Unavailable(f"missing: {', '.join(missing)}")
    unshared = subprocess.run(["unshare", "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup", "--fork", "true"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if unshared.returncode:
        raise Unavailable(f"no namespaces: {unshared.stderr.strip()}")


def remove(place):
    """One file system alone: if something were mounted below, it would not be ours."""
    subprocess.run(["rm", "-rf", "--one-file-system", place], check=True)


def make(place):
    log_path = place + ".log"
    unfinished = place + ".new"
    remove(unfinished)
    with open(log_path, "w", encoding="utf-8") as log:
        made = subprocess.run(command_for(unfinished), stdin=subprocess.DEVNULL, stdout=log,
                              stderr=subprocess.STDOUT, timeout=MAKE_SECONDS, check=False)
    if made.returncode:
        remove(unfinished)
        with open(log_path, encoding="utf-8", errors="replace") as log:
            lines = [line.strip() for line in log if line.startswith("E:")] or ["mmdebstrap has failed"]
        raise Unavailable(f"{lines[0]} ({log_path})")
    os.rename(unfinished, place)


def image(folder):
    """The path of the image, which is made in folder if it is not there. Scripts that come at once wait for one of
    them to make it. Raises Unavailable."""
    look_for_tools()
    os.makedirs(folder, exist_ok=True)
    place = os.path.join(folder, f"{SUITE}-{key()}")
    with open(os.path.join(folder, "lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.path.isdir(place):
            make(place)
    return place
