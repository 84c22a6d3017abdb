# SPDX-License-Identifier: LGPL-2.1-or-later
"""A folder with the installed build, as a test script has it (sandbox.py), but without a bus: each measurement has one of
its own. Not for the cases of a test, which have both."""
import contextlib
import os
import shutil
import signal
import sys
import tempfile


def _set(build, place):
    import sandbox
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


@contextlib.contextmanager
def installed(build):
    """Whatever happens within, nothing is left running, and the folder goes. stage.py can be imported from here on."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = tempfile.mkdtemp(prefix="vmherald-bench-")
    try:
        _set(build, place)
        import processes
        try:
            yield place
        finally:
            processes.end_all(place, 0)
    finally:
        shutil.rmtree(place, ignore_errors=True)
