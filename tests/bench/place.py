# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder with the installed build, as a test script has it (sandbox.py), but without a bus: each measurement has one of
its own. Not for the cases of a test, which have both.

There are two processes: who was started keeps the folder, and a child measures. What is left when the child has ended, in whatever
way, is the keeper's to end and to remove."""
import contextlib
import os
import shutil
import signal
import sys
import tempfile

import processes
import sandbox

PREFIX = "vmherald-bench-"
# What a terminal, a service manager or a CI says to make a program end.
ENDING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def _set(build, place):
    for variable, value in sandbox.DEFAULTS.items():
        os.environ.setdefault(variable, value)
    os.environ["VMHERALD_BUILD"] = build
    os.environ[sandbox.FOLDER_VARIABLE] = place
    for variable, name in (("XDG_RUNTIME_DIR", "runtime"), ("XDG_CONFIG_HOME", "config"),
                           ("XDG_STATE_HOME", "state"), ("XDG_DATA_HOME", "data"),
                           ("XDG_CACHE_HOME", "cache"), ("HOME", "home")):
        os.environ[variable] = os.path.join(place, name)
        os.mkdir(os.environ[variable], 0o700)
    for variable in ("NOTIFY_SOCKET", "DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"):
        os.environ.pop(variable, None)
    sandbox.install(place, ())


def _wait(child, ending):
    """Its exit status as a shell has it. Who is told to end ends the child."""
    told = None
    while True:
        number = signal.sigwait({*ending, signal.SIGCHLD})
        if number != signal.SIGCHLD:
            told = told or number
            os.kill(child, signal.SIGKILL)       # it is ours until it is waited for, which is here
            continue
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return 128 + told if told else code if code >= 0 else 128 - code


def _clear(place):
    """What is still being started while it looks is found the next time; when there is none any more, nobody writes."""
    while processes.end_all(place, 0):
        pass
    # What libvirtd asks for its abilities has no mark, but the home of the run.
    for pid, _ in processes.processes_of(os.path.join(place, "home"), "HOME"):
        processes.end_process(pid)
    shutil.rmtree(place)


def _fork():
    """In the child: the folder. The keeper does not return.

    WARNING: the child may not have a handler that raises an exception. Within a callback from GLib, that of SystemExit ends
    the interpreter without what is to be done on the way out, and that of KeyboardInterrupt is just printed."""
    sys.stdout.flush()
    sys.stderr.flush()
    # nohup has SIGHUP ignored, and so it stays.
    ending = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    # From here on the keeper takes signals where it waits, and nowhere else.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*ending, signal.SIGCHLD})
    for number in (*ending, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    place = tempfile.mkdtemp(prefix=PREFIX)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return place
    try:
        status = _wait(child, ending)
    finally:
        _clear(place)
    os._exit(status)


@contextlib.contextmanager
def installed(build):
    """What follows is done by a child, to the end of the program. stage.py can be imported from here on. To be called before there
    are threads."""
    place = _fork()
    _set(build, place)
    yield place
