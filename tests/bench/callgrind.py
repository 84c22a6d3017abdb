# SPDX-License-Identifier: LGPL-2.1-or-later
"""Instructions, counted by callgrind: of a program from its beginning to its end, and of the service between two points.
Unlike seconds they are the same on a busy machine and on a quiet one."""
import os
import re
import subprocess

import stage
from client import folder

PROGRAM = "counted"                      # in the folder: what starts the service below callgrind
TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)
# What tests set to see more costs instructions.
UNSET = ("G_DEBUG", "G_SLICE", "MALLOC_CHECK_", "MALLOC_PERTURB_")


def _command(out, *options, preload=""):
    # Its threads take turns in their order, so that who runs is not the luck of the moment.
    return ["env", *(f"--unset={name}" for name in UNSET), f"LD_PRELOAD={preload}",
            "valgrind", "--quiet", "--tool=callgrind", "--fair-sched=yes", f"--callgrind-out-file={out}",
            f"--log-file={folder()}/callgrind.log", f"--vgdb-prefix={folder()}/vgdb", *options]


def _run(command):
    """What it says goes into the error, if it is one."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: {done.returncode}: {done.stdout[-2000:]}")


def _read(path):
    """Instructions, by the file that callgrind has left."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return int(TOTALS.search(file.read())[1])


def count_program(name, *arguments):
    """Of a program of tests/bench."""
    out = os.path.join(folder(), "program.out")
    _run([*_command(out), stage.program(name), *map(str, arguments)])
    return _read(out)


class Service:
    """Before with Stage(program=callgrind.PROGRAM): the service below callgrind. Until begin() it is not counted, and
    quicker."""

    def __init__(self):
        self.out = os.path.join(folder(), "callgrind.out")
        self.dumps = 0
        with open(os.path.join(folder(), "activated"), encoding="utf-8") as file:
            text = file.read()
        below = _command(self.out, "--instr-atstart=no", preload=stage.program("played-pidfd.so"))
        path = os.path.join(folder(), PROGRAM)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("exec ", f"exec {' '.join(below)} ", 1))
        os.chmod(path, 0o755)

    def begin(self, pid):
        _run(["vgdb", f"--vgdb-prefix={folder()}/vgdb", f"--pid={pid}", "instrumentation", "on"])

    def dump(self, pid):
        """Instructions since the last time."""
        _run(["vgdb", f"--vgdb-prefix={folder()}/vgdb", f"--pid={pid}", "dump"])
        self.dumps += 1
        return _read(self.dumped())

    def dumped(self):
        """The file of the last one."""
        return f"{self.out}.{self.dumps}"
