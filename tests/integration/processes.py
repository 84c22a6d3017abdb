# SPDX-License-Identifier: LGPL-2.1-or-later
"""Which processes belong to a run, and how to end them for sure.

Guests outlive the service on purpose, so whoever starts a service to try something has to see to
it that no QEMU is left. A run is known by its folder, which is named by an environment variable
that all its processes inherit."""
import os
import re
import select
import signal
import time

FOLDER_VARIABLE = "VMHERALD_TEST_FOLDER"
END_SECONDS = 60.0


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def processes_of(place, variable=FOLDER_VARIABLE):
    """(pid, comm) of each process that was started with this run's environment."""
    mark = f"{variable}={place}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            if mark in read_file(f"/proc/{entry}/environ").split(b"\0"):
                comm = read_file(f"/proc/{entry}/comm").decode("utf-8", "replace").strip()
                found.append((int(entry), comm))
        except OSError:
            pass                 # gone, or another user's
    return found


def command_line(pid):
    try:
        return read_file(f"/proc/{pid}/cmdline").decode("utf-8", "replace").split("\0")
    except OSError:
        return []


def qemus_of(place):
    """The same, of the QEMUs that run a domain: not those that are asked for their version."""
    return [(pid, comm) for pid, comm in processes_of(place)
            if comm.startswith("qemu-system") and "-uuid" in command_line(pid)]


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


def end_all(place, seconds):
    """Ends what is left of a run: guests at once, everything else if it has not ended by itself
    after that time. Returns in words what had to be ended."""
    left = []

    def end(pid, comm):
        left.append(f"{comm} ({pid}): {' '.join(command_line(pid))[:200]}")
        end_process(pid)

    for pid, comm in qemus_of(place):
        end(pid, comm)
    deadline = time.monotonic() + seconds
    for pid, comm in processes_of(place):
        if not wait_for_end(pid, deadline - time.monotonic()):
            end(pid, comm)
    return left


def private_memory(pid):
    """KiB that are the process's alone, without those of files: the history fills its own up to its bound."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return int(re.search(r"^Anonymous: +(\d+) kB$", file.read(), re.MULTILINE)[1])


def wake_ups(pid):
    """How often its threads have waited so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file
                         if line.startswith("voluntary_ctxt_switches:"))
    return total


def is_sanitized(pid):
    """The address sanitizer keeps freed memory for a while, and finds leaks by itself."""
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
        return "libasan" in file.read()
