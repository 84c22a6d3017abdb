# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder and a bus for one test script, and a look afterwards at what is left."""
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from processes import FOLDER_VARIABLE, end_all

NAME = "org.vmherald.Domains1"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# meson sets these; without it a script runs against build/ of the source tree it is in.
DEFAULTS = {"VMHERALD_BUILD": os.path.join(ROOT, "build"), "VMHERALD_MESON": "meson",
            "VMHERALD_INTROSPECTION": os.path.join(ROOT, "introspection"),
            "PYTHONDONTWRITEBYTECODE": "1"}
SCRIPT_SECONDS = 270.0           # for a whole script; less than meson gives it
LEAVE_SECONDS = 30.0             # for the service to end by itself once its bus has gone

BUS_CONFIGURATION = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
    "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
    <type>session</type>
    <keep_umask/>
    <listen>unix:dir={folder}</listen>
    <auth>EXTERNAL</auth>
    <servicedir>{services}</servicedir>
    <policy context="default">
        <allow send_destination="*" eavesdrop="true"/>
        <allow eavesdrop="true"/>
        <allow own="*"/>
    </policy>
    <limit name="reply_timeout">600000</limit>
    <!-- As on an ordinary session bus: so much that the service must look after itself. -->
    <limit name="max_incoming_bytes">1000000000</limit>
    <limit name="max_outgoing_bytes">1000000000</limit>
    <limit name="max_message_size">1000000000</limit>
    <limit name="max_replies_per_connection">50000</limit>
</busconfig>
"""


def install(place, service_options):
    """Installs the build below place and returns the folder of its bus service file. The file is
    the installed one; only the program in it is led through a script that keeps its stderr, and
    service_options are added."""
    stage = os.path.join(place, "stage")
    subprocess.run([os.environ["VMHERALD_MESON"], "install", "--no-rebuild", "--quiet",
                    "-C", os.environ["VMHERALD_BUILD"], "--destdir", stage],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for services, _, files in os.walk(stage):
        if services.endswith("/dbus-1/services") and NAME + ".service" in files:
            break
    else:
        raise RuntimeError("no bus service file was installed")
    path = os.path.join(services, NAME + ".service")
    with open(path, encoding="utf-8") as service:
        text = service.read()
    program, arguments = re.search(r"^Exec=(\S+)(.*)$", text, re.MULTILINE).groups()
    wrapper = os.path.join(place, "activated")
    with open(wrapper, "w", encoding="utf-8") as script:
        script.write(f"#!/bin/sh\nexec {stage}{program} \"$@\" 2>>{place}/service.log\n")
    os.chmod(wrapper, 0o755)
    with open(path, "w", encoding="utf-8") as service:
        service.write(text.replace(f"Exec={program}{arguments}",
                                   " ".join([f"Exec={wrapper}{arguments}",
                                             *(option.replace("{folder}", place)
                                               for option in service_options)])))
    # So that the cases find the installed vmheraldctl.
    programs = [place for place, _, files in os.walk(stage) if "vmheraldctl" in files and
                place.endswith("/bin")]
    os.environ["PATH"] = ":".join(programs + [os.environ["PATH"]])
    # And it finds the installed library, as does whoever builds a program with it.
    libraries = [place for place, _, files in os.walk(stage) if "libvmherald.so.0" in files]
    os.environ["LD_LIBRARY_PATH"] = ":".join(libraries)
    return services


LOG_IS_BAD = re.compile(r"Sanitizer|runtime error:|CRITICAL|ERROR \*\*|[Aa]ssertion|^==\d+==")


class Sandbox:
    """Above the bus: sets the stage, forwards the TAP of the cases, and sees to it that nothing
    is left, whatever happened below."""

    def __init__(self, service_options=(), seconds=None, user=None):
        """user: number of an ordinary user, who is all of what is below; None: whoever runs the test."""
        self.service_options = service_options
        self.user = user
        self.seconds = seconds or SCRIPT_SECONDS
        self.count = 0
        self.failed = False
        self.folder = tempfile.mkdtemp(prefix="vmherald-test-")
        self.runner = None

    def tell(self, good, name, lines=()):
        self.count += 1
        self.failed = self.failed or not good
        print(f"{'ok' if good else 'not ok'} {self.count} - {name}", flush=True)
        for line in lines:
            print(f"# {line}", flush=True)

    def forward(self, line):
        verdict, _, name = line.partition("\t")
        if name:
            self.tell(verdict == "ok", name)
        else:
            print(line, flush=True)

    def prepare(self):
        for variable, value in DEFAULTS.items():
            os.environ.setdefault(variable, value)
        for variable, name in (("XDG_RUNTIME_DIR", "runtime"), ("XDG_CONFIG_HOME", "config"),
                               ("XDG_STATE_HOME", "state"), ("XDG_DATA_HOME", "data"),
                               ("XDG_CACHE_HOME", "cache"), ("HOME", "home")):
            os.environ[variable] = os.path.join(self.folder, name)
            os.mkdir(os.environ[variable], 0o700)
        # Made by a service manager for its own child, not for the service under test.
        for variable in ("NOTIFY_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"):
            os.environ.pop(variable, None)
        services = install(self.folder, self.service_options)
        configuration = os.path.join(self.folder, "bus.conf")
        with open(configuration, "w", encoding="utf-8") as file:
            file.write(BUS_CONFIGURATION.format(folder=self.folder, services=services))
        os.mkfifo(os.path.join(self.folder, "tap"))
        return configuration

    def give_away(self):
        """The folder to the user, and no group or capability to keep."""
        for place, folders, files in os.walk(self.folder):
            for name in [place] + [os.path.join(place, entry) for entry in folders + files]:
                os.chown(name, self.user, self.user, follow_symlinks=False)
        return {"user": self.user, "group": self.user, "extra_groups": []}

    def run_below(self, configuration):
        tap = os.open(os.path.join(self.folder, "tap"), os.O_RDWR)
        output_path = os.path.join(self.folder, "runner.log")
        environment = dict(os.environ, **{FOLDER_VARIABLE: self.folder})
        credentials = {} if self.user is None else self.give_away()
        with open(output_path, "wb") as output:
            self.runner = subprocess.Popen(
                ["dbus-test-runner", "--keep-env", f"--dbus-config={configuration}",
                 f"--max-wait={self.seconds:.0f}", f"--task={sys.executable}",
                 f"--parameter={os.path.abspath(sys.argv[0])}"],
                env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **credentials)
        pidfd = os.pidfd_open(self.runner.pid)
        buffer = b""
        end = time.monotonic() + self.seconds + 5
        ended = False
        while True:
            timeout = 0 if ended else max(0, end - time.monotonic())
            ready = select.select([tap] if ended else [tap, pidfd], [], [], timeout)[0]
            if tap in ready:
                buffer += os.read(tap, 65536)
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self.forward(line.decode("utf-8", "replace"))
            elif ended or not ready:
                break
            ended = ended or pidfd in ready
        if not ended:
            self.runner.kill()
        status = self.runner.wait()
        os.close(pidfd)
        os.close(tap)
        with open(output_path, encoding="utf-8", errors="replace") as output:
            lines = output.read().splitlines()
        if self.count == 0 or (status != 0 and not self.failed):
            self.tell(False, f"the script ended with status {status}", lines)

    def leave(self):
        """Ends what is left. A guest that a case left is that case's fault, and is told."""
        if self.runner and self.runner.poll() is None:
            # Cut short: nothing ends by itself now, and whoever cut us short waits.
            self.runner.kill()
            self.runner.wait()
            left = end_all(self.folder, 0)
        else:
            left = end_all(self.folder, LEAVE_SECONDS)
        self.tell(not left, "nothing is left running", left)

        log = []
        if os.path.exists(os.path.join(self.folder, "service.log")):
            with open(os.path.join(self.folder, "service.log"), encoding="utf-8",
                      errors="replace") as file:
                log = file.read().splitlines()
        bad = any(LOG_IS_BAD.search(line) for line in log)
        self.tell(not bad, "the log of the service is clean", log if bad or self.failed else ())

    def run(self):
        # meson ends a test that takes too long by SIGTERM; the QEMUs are sessions of their own.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        try:
            try:
                self.run_below(self.prepare())
            finally:
                self.leave()
                print(f"1..{self.count}", flush=True)
        finally:
            if "VMHERALD_TEST_KEEP" in os.environ:
                print(f"# kept: {self.folder}")
            else:
                shutil.rmtree(self.folder, ignore_errors=True)
        return 1 if self.failed else 0
