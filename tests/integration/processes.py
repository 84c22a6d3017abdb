# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which processes belong to a run, and how to end them for sure.

Guests outlive the service on purpose, so whoever starts a service to try something has to see to
it that no QEMU is left. A run is known by its folder, which an environment variable names that all its
processes inherit."""
import os
import select
import signal

FOLDER_VARIABLE = "VMHERALD_TEST_FOLDER"
END_SECONDS = 60.0


def processes_of(place):
    """(pid, comm) of each process that was started with this run's environment."""
    mark = f"{FOLDER_VARIABLE}={place}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as environ:
                if mark not in environ.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/comm", encoding="utf-8", errors="replace") as comm:
                found.append((int(entry), comm.read().strip()))
        except OSError:
            continue             # gone, or another user's
    return found


def qemus_of(place):
    return [process for process in processes_of(place) if process[1].startswith("qemu-system")]


def end_process(pid, signal_number=signal.SIGKILL):
    """By pidfd, and waits until it is gone."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(pidfd, signal_number)
        select.select([pidfd], [], [], END_SECONDS)
    except ProcessLookupError:
        pass
    finally:
        os.close(pidfd)


def wait_for_end(pid, seconds):
    """True if the process has ended by then."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([pidfd], [], [], max(0, seconds))[0])
    finally:
        os.close(pidfd)
