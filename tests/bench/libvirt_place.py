# SPDX-License-Identifier: LGPL-2.1-or-later
"""A libvirt of one's own, on a machine that may have another one at work: its folders are in the folder of the run.

For an ordinary user these are where libvirt has those of a user's session, for place.py has set them all. For root they have
fixed names: so the whole run gets a mount namespace in which empty folders lie over them, and a network namespace, for libvirtd
makes rules for the firewall. Both end with the run."""
import ctypes
import os
import shutil
import subprocess
import sys

PRIVILEGED = os.geteuid() == 0
URI = "qemu:///system" if PRIVILEGED else "qemu:///session"
COVERED = ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt")
CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
# What is used, and Debian's package of it.
PROGRAMS = {"libvirtd": "libvirt-daemon-system", "virsh": "libvirt-clients", "libvirt-dbus": "libvirt-dbus"}
BUILT = ("libvirt-asker", "libvirt-subscriber")

LIBVIRTD = """auth_unix_ro = "none"
auth_unix_rw = "none"
log_outputs = "3:stderr"
"""
QEMU = """security_driver = "none"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""
QEMU_OF_ROOT = """user = "root"
group = "root"
"""


def program(name):
    """libvirtd and libvirt-dbus are where an ordinary user need not look."""
    return shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")


def missing(build):
    """Packages."""
    packages = [package for name, package in PROGRAMS.items() if not program(name)]
    if not all(os.path.exists(os.path.join(build, "tests", "bench", name)) for name in BUILT):
        packages.append("libvirt-dev")
    return packages


def check(build):
    packages = missing(build)
    if packages:
        sys.exit(f"libvirt cannot be measured without these packages: {' '.join(packages)}\n"
                 "Please install them, and have meson look again: make bench-libvirt does that.")


def enter():
    """To be called before there are threads, and before place.installed(); what the process starts is there too."""
    if not PRIVILEGED:
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        sys.exit(f"no namespaces for a libvirt apart from the machine's: {os.strerror(ctypes.get_errno())}. "
                 "An ordinary user needs none.")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    for folder in COVERED:
        if os.path.isdir(folder):
            subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "vmherald-bench", folder], check=True)


def folders():
    """name -> path; state is what a libvirtd leaves when it is killed."""
    if PRIVILEGED:
        return {"config": "/etc/libvirt", "run": "/run/libvirt", "state": ["/run/libvirt", "/var/lib/libvirt/qemu"]}
    runtime, config = (os.path.join(os.environ[f"XDG_{name}"], "libvirt") for name in ("RUNTIME_DIR", "CONFIG_HOME"))
    return {"config": config, "run": runtime, "state": [runtime, os.path.join(config, "qemu")]}


def configure():
    config = folders()["config"]
    os.makedirs(config, exist_ok=True)
    for name, text in (("libvirtd.conf", LIBVIRTD), ("qemu.conf", QEMU + (QEMU_OF_ROOT if PRIVILEGED else ""))):
        with open(os.path.join(config, name), "w", encoding="utf-8") as file:
            file.write(text)


def forget():
    """As if no libvirtd had been here; but what it knows of QEMU's abilities stays."""
    for folder in folders()["state"]:
        shutil.rmtree(folder, ignore_errors=True)
