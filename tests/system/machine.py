# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine: the image (image.py) under a layer of its own, booted by systemd-nspawn, with a network of its own that has no
way out, and with no trace on the host when it has ended.

The layer is a tmpfs in a mount namespace that only the machine has. So whatever becomes of the test, it goes with
the last process of the machine. nspawn says by its notify socket who the first process is, and when the system has come up;
commands come into the namespaces of that one.

Who the machine's people are: root; alice and bob, of the group vmherald once the packages are there; mallory, who is
nobody's member."""
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DEADLINE = 60.0                 # seconds for one thing to come true; only a failure takes so long
TESTS = "/test"                 # where the machine has this folder
PACKAGES = "/packages"          # and the packages
# What a host has of them; the one with the headers is for programmers.
DEBS = "./vmherald_*.deb ./libvmherald0_*.deb"
PEOPLE = ("alice", "bob", "mallory")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# In a mount namespace of its own. $1: place, $2: image; then nspawn and its arguments.
BOOT = """
place=$1 image=$2
shift 2
# nspawn leaves a folder there when its machine reboots, and takes it amiss if that is not a tmpfs.
mkdir -p /run/systemd/nspawn
mount -t tmpfs -o mode=0755 tmpfs /run/systemd/nspawn
mount -t tmpfs -o mode=0755,size=75% tmpfs "$place"
mkdir "$place/changes" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=$image,upperdir=$place/changes,workdir=$place/work" overlay "$place/root"
# A machine that reboots ends with this status, so that its unit, if it had one, would start it anew.
status=133
while [ "$status" = 133 ]; do
	status=0
	"$@" --directory="$place/root" || status=$?
done
exit "$status"
"""


def wait_until(condition, what, deadline=DEADLINE):
    """Looks again and again, for what nobody tells, until condition() is true; returns what it returned."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {deadline:.0f} s in vain for {what() if callable(what) else what}")
        select.select([], [], [], 0.02)


class Machine:
    def __init__(self, image, name, packages=None):
        """image: the folder. name: of this machine, unlike those of others that run. packages: a folder that it has as
        PACKAGES."""
        self.image = image
        self.name = name
        self.packages = packages
        self.place = tempfile.mkdtemp(prefix=f"vmherald-system-{name}-")
        self.root = os.path.join(self.place, "root")
        os.mkdir(self.root)
        self.console = os.path.join(self.place, "console.log")
        self.nspawn = None
        self.leader = None
        self.started = 0
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(os.path.join(self.place, "notify"))

    # ---- its life ----

    def boot(self):
        """Starts it and waits until it is up, with all its units."""
        bound = [f"--bind-ro={os.path.join(SOURCE, 'tests', 'system')}:{TESTS}"]
        if self.packages:
            bound.append(f"--bind-ro={self.packages}:{PACKAGES}")
        with open(self.console, "ab") as console:
            self.nspawn = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "--", "sh", "-ec", BOOT, "boot", self.root,
                 self.image, "systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit",
                 "--private-network", "--console=pipe", "--notify-ready=yes", f"--machine={self.name}", *bound],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT, start_new_session=True,
                env={"PATH": PATH, "NOTIFY_SOCKET": self.notify.getsockname()})
        self.wait_for_boot()

    def wait_for_boot(self):
        """After boot(), and after the machine was told to reboot."""
        end = time.monotonic() + DEADLINE
        ready = False
        while not ready:
            if not select.select([self.notify], [], [], 0.2)[0]:
                if self.nspawn.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"the machine has not come up:\n{self.console_text()[-4000:]}")
                continue
            for line in self.notify.recv(4096).decode(errors="replace").splitlines():
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    self.leader = int(line.partition("=")[2])
                ready = ready or line == "READY=1"
        state = self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip()
        if state != "running":
            failed = self.run("systemctl", "list-units", "--failed", "--no-pager", check=False).stdout
            raise AssertionError(f"the system is {state}:\n{failed}")

    def reboot(self):
        """As an administrator does it; returns when it is up again."""
        self.run("systemctl", "reboot", check=False)    # may be answered by the end of everything
        self.wait_for_boot()

    def end(self):
        """Ends the machine at once, and removes what it had."""
        if self.nspawn:
            if self.nspawn.poll() is None:
                try:
                    # With the first process the kernel ends all of its namespace.
                    os.kill(self.leader or self.nspawn.pid, signal.SIGKILL)
                    self.nspawn.wait(DEADLINE)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    os.killpg(self.nspawn.pid, signal.SIGKILL)      # it is a session of its own
                    self.nspawn.wait()
            self.nspawn = self.leader = None
        self.notify.close()
        shutil.rmtree(self.place)

    def console_text(self):
        with open(self.console, encoding="utf-8", errors="replace") as console:
            return console.read()

    # ---- in it ----

    def inside(self, *command):
        """The command line that runs a command in the machine's namespaces, as root."""
        return ["nsenter", "--target", str(self.leader), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup",
                "--root", "--wd", "--", "env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8", *command]

    def as_user(self, user, *command, unit=None):
        """The same for a user: a transient service, so that the process belongs to the system as any other, with the
        groups that the user has now."""
        return self.inside("systemd-run", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec",
                           "--setenv=LC_ALL=C.UTF-8", f"--setenv=PATH={PATH}", f"--uid={user}",
                           *([f"--unit={unit}"] if unit else []), "--", *command)

    def run(self, *command, user="root", check=True, stdin="", deadline=DEADLINE):
        """Runs a command to its end and returns what subprocess.run() does, as text. check: a failure of it is one of the
        case."""
        line = self.inside(*command) if user == "root" else self.as_user(user, *command)
        done = subprocess.run(line, input=stdin, capture_output=True, text=True, timeout=deadline, check=False,
                              errors="replace")
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)} (as {user}): {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, *command, user="root", **keys):
        """Starts a command, as a unit of its own, and returns its Popen, with pipes; stop() ends it."""
        self.started += 1
        unit = f"test-{self.started}.service"
        keys = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, **keys}
        process = subprocess.Popen(self.as_user(user, *command, unit=unit), **keys)
        process.unit = unit
        return process

    def stop(self, process):
        """Ends what start() has started, if it has not ended itself."""
        if process.poll() is None:
            # Ended by itself, systemd-run would leave its service.
            self.run("systemctl", "stop", process.unit, check=False)
            process.wait(DEADLINE)
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()

    def show(self, unit, *properties):
        """Properties of a unit, as systemctl show has them: one as a string, more as a dictionary."""
        out = self.run("systemctl", "show", unit, *(f"--property={name}" for name in properties)).stdout
        values = dict(line.partition("=")[::2] for line in out.splitlines())
        return values[properties[0]] if len(properties) == 1 else values

    def read(self, path):
        return self.run("cat", path).stdout

    def write(self, path, text, mode="0644"):
        # Whoever watches the folder, as polkit does, sees it when it is whole and has its mode.
        self.run("sh", "-ec", 'install -D -m "$1" /dev/stdin "$2.new"; mv "$2.new" "$2"', "write", mode, path, stdin=text)

    def exists(self, path):
        return self.run("test", "-e", path, "-o", "-L", path, check=False).returncode == 0

    def journal(self, unit="vmherald.service", *more):
        return self.run("journalctl", "--no-pager", "--output=cat", f"--unit={unit}", *more).stdout

    # ---- its people ----

    def add_people(self):
        for name in PEOPLE:
            self.run("useradd", "--create-home", "--shell", "/bin/sh", name)

    def install(self):
        """The packages, as an administrator does it, and alice and bob become members."""
        self.run("sh", "-c", f"cd {PACKAGES} && apt-get install -y {DEBS} 2>&1")
        for name in ("alice", "bob"):
            self.run("usermod", "--append", "--groups", "vmherald", name)
