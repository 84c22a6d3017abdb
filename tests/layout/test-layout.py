#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The rules of the layout (HACKING.md), looked up in the sources.

A newcomer finds the way by the names of the folders only as long as nobody takes a short cut: these
are the short cuts. Each finding is FILE:LINE: WHAT IS WRONG."""
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys

SOURCE = os.environ["VMHERALD_SOURCE"]
BUILD = os.environ["VMHERALD_BUILD"]

# From the highest to the lowest: includes go down. The files of src/ itself, the driver, stand above.
LAYERS = ["domain", "launcher", "qemu", "net", "event", "qmp", "model", "base", "loop"]
# The clients in src/, which stand apart.
CLIENTS = ["client", "ctl"]
# What stands apart from the layers, and which of the others' headers each may have. vmheraldctl has what any other
# program has: include/vmherald.
APART = {"bus": ["bus", "loop"], "client": ["client", "bus", "loop"], "ctl": ["ctl"]}
# Folders that have headers alone, and those whose sources have them.
HEADERS_ALONE = {"include/vmherald": "src/client", "tests/threads": "tests/base"}
# The loop is the interface below everything; workers report to it.
EXCEPTIONS = {("base/worker-pool.h", "loop/loop.h"), ("base/worker-pool.c", "loop/loop.h")}
LINES_MAX = 800
# Formats without comments, and texts that are data: a license line would be part of them.
NO_COMMENTS = (".json", ".jsonl", ".expected", ".args", ".txt.golden", ".gvariant", ".png")
NO_LICENSE_LINE = {"LICENSE", "po/LINGUAS", "debian/changelog", "debian/copyright", "debian/source/format",
                   "debian/vmherald.README.Debian"}
# Inputs of fuzzers are any bytes whatever, and each byte counts.
INPUTS = os.path.join("tests", "fuzz", "corpus") + os.sep
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def walk():
    """All files of the project, relative. Build folders and hidden ones are none of it."""
    for folder, folders, files in os.walk(SOURCE):
        folders[:] = [name for name in folders
                      if name not in (".git", "__pycache__", ".pytest_cache", "node_modules") and
                      not os.path.exists(os.path.join(folder, name, "meson-private"))]
        for name in files:
            if name != ".git":
                yield os.path.relpath(os.path.join(folder, name), SOURCE)


def tracked():
    """What git knows, so that notes and logs of whoever works here are left alone; None without git."""
    try:
        done = subprocess.run(["git", "-C", SOURCE, "ls-files", "-z"], capture_output=True,
                              text=True, check=False)
    except FileNotFoundError:
        return None
    return [path for path in done.stdout.split("\0")
            if path and os.path.exists(os.path.join(SOURCE, path))] or None


FILES = sorted(tracked() or walk())


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8", errors="replace") as file:
        return file.read()


def c_files(*roots):
    return [path for path in FILES
            if path.endswith((".c", ".h")) and path.split(os.sep)[0] in roots]


def includes(path):
    """(line number, is a system header, name) of each include."""
    for number, line in enumerate(read(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def core_files():
    return [path for path in c_files("src") if path.split(os.sep)[1] not in APART]


# ---- the rules: each gives its findings ----

def core_knows_no_bus():
    """src/, apart from src/bus and the clients, knows neither libsystemd nor an object path nor a name on the bus."""
    for path in core_files():
        for number, system, name in includes(path):
            if name.startswith("systemd/") or name.startswith("dbus/"):
                yield f"{path}:{number}: includes {name}"
        for number, line in enumerate(read(path).splitlines(), 1):
            if "/org/vmherald" in line or "org.vmherald" in line:
                yield f"{path}:{number}: knows a name of the bus: {line.strip()}"


def includes_go_down():
    """Inside src/ a layer includes itself and those below it."""
    for path in core_files():
        parts = path.split(os.sep)[1:]
        own = LAYERS.index(parts[0]) if len(parts) > 1 else -1
        for number, system, name in includes(path):
            folder = name.split("/")[0]
            if system or "/" not in name or (os.path.join(*parts), name) in EXCEPTIONS:
                continue
            if folder not in LAYERS:
                yield f"{path}:{number}: {name} is of no layer"
            elif LAYERS.index(folder) < own:
                yield f"{path}:{number}: {parts[0]} must not include {name}, which is above it"


def those_apart_keep_apart():
    """src/bus and the clients know each other only as far as APART says, and of the core but the loop."""
    for path in c_files("src"):
        folder = path.split(os.sep)[1]
        for number, system, name in includes(path):
            if folder in APART and not system and name.split("/")[0] not in APART[folder]:
                yield f"{path}:{number}: {name} is not for src/{folder}"


def ctl_is_a_program_like_others():
    """src/ctl is made of include/vmherald: what that has for it, a name on the bus or a path, is not known there."""
    for path in c_files("src"):
        if path.split(os.sep)[1] != "ctl":
            continue
        for number, system, name in includes(path):
            if name.startswith("systemd/") or name.startswith("dbus/"):
                yield f"{path}:{number}: includes {name}"
        for number, line in enumerate(read(path).splitlines(), 1):
            if re.search(r"\borg[./](vmherald|freedesktop)", line):
                yield f"{path}:{number}: knows a name of the bus: {line.strip()}"


def installed_headers_stand_alone():
    """Who has the library has include/vmherald, the C library, and no more; but vmherald/glib.h is for who has GLib."""
    for path in c_files("include"):
        for number, system, name in includes(path):
            if not system or (name.startswith("glib") and not path.endswith("/glib.h")) or \
                    name.startswith("systemd/"):
                yield f"{path}:{number}: {name} need not be there"


def only_worker_pool_has_a_loop():
    """The exception above is one: nothing else in base/ knows the loop."""
    for path in core_files():
        if path.split(os.sep)[1] != "base":
            continue
        for number, system, name in includes(path):
            if name.startswith("loop/") and (path[len("src/"):], name) not in EXCEPTIONS:
                yield f"{path}:{number}: includes {name}"


def every_layer_is_known():
    """A new folder in src/ has its place in the order."""
    for path in c_files("src"):
        parts = path.split(os.sep)
        if len(parts) > 2 and parts[1] not in [*LAYERS, *APART]:
            yield f"{path}: {parts[1]} has no place in the order of the layers"


def includes_carry_the_folder():
    """In src/ the include line shows the layer; only the driver's own headers have none."""
    for path in c_files("src"):
        top_level = len(path.split(os.sep)) == 2
        for number, system, name in includes(path):
            if system:
                continue
            if "/" not in name and not (top_level and name.startswith("driver")):
                yield f"{path}:{number}: {name} without its folder"
            elif name.startswith(".") or not os.path.exists(os.path.join(SOURCE, "src", name)):
                yield f"{path}:{number}: {name} is not in src/"


def service_includes_what_is_there():
    """service/ has its own headers by their names, and those of src/ by their folders."""
    for path in c_files("service"):
        for number, system, name in includes(path):
            if system:
                continue
            if not os.path.exists(os.path.join(SOURCE, "src" if "/" in name else "service", name)) \
                    and name not in ("driver.h",):
                yield f"{path}:{number}: {name} is neither in service/ nor in src/"
            if name.split("/")[0] in CLIENTS or "internal" in name:
                yield f"{path}:{number}: {name} is not for the service"


def compile_commands():
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        return json.load(file)


def flags_by_folder():
    """Folder of the sources -> compiler and flags, without what names files."""
    result = {}
    for entry in compile_commands():
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), SOURCE)
        command, arguments = [], iter(shlex.split(entry["command"]))
        for argument in arguments:
            if argument in ("-o", "-MF", "-MQ", "-c"):
                next(arguments)
            elif argument not in ("-MD",):
                command.append(argument)
        result.setdefault(os.path.dirname(path), command)
    return result


def compile_header(path, command):
    # Twice: what is included twice must not hurt.
    text = f'#include "{os.path.join(SOURCE, path)}"\n' * 2
    done = subprocess.run([*command, "-fsyntax-only", "-Werror", "-x", "c", "-"], input=text,
                          capture_output=True, text=True, cwd=BUILD, check=False)
    if done.returncode:
        return f"{path}: does not compile alone: {done.stderr.strip()}"
    return None


def headers_compile_alone():
    """Each header brings what it needs."""
    flags = flags_by_folder()
    headers = [path for path in c_files("include", "src", "service", "tests") if path.endswith(".h")]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        jobs = []
        for path in headers:
            folder = os.path.dirname(path)
            command = flags.get(HEADERS_ALONE.get(folder, folder))
            if command:
                jobs.append(pool.submit(compile_header, path, command))
            else:
                yield f"{path}: nothing in its folder is compiled"
        for job in jobs:
            if job.result():
                yield job.result()


def sources_are_built():
    """A source that nobody compiles is not tested by anything."""
    built = {os.path.relpath(os.path.join(entry["directory"], entry["file"]), SOURCE)
             for entry in compile_commands()}
    for path in c_files("src", "service", "tests"):
        if path.endswith(".c") and path not in built:
            yield f"{path}: is not built"


def license_lines():
    """Every file whose format allows a comment says its license at the top."""
    for path in FILES:
        if path.endswith(NO_COMMENTS) or path in NO_LICENSE_LINE or path.startswith(INPUTS):
            continue
        head = "\n".join(read(path).splitlines()[:6])
        if "SPDX-License-Identifier: LGPL-2.1-or-later" not in head:
            yield f"{path}: has no SPDX line at the top"


def is_program(path):
    return path.endswith((".c", ".h", ".py", ".sh")) or read(path)[:2] == "#!"


def no_long_files():
    """About 300 lines, never more than 800."""
    for path in FILES:
        if path.startswith(INPUTS):
            continue
        if is_program(path) and len(read(path).splitlines()) > LINES_MAX:
            yield f"{path}: {len(read(path).splitlines())} lines"


def every_error_has_a_name():
    """Each CoreError is a row in the bridge to the bus."""
    enum = re.search(r"typedef enum CoreError \{(.*?)\}", read("src/base/error.h"), re.S).group(1)
    codes = [code for code in re.findall(r"\bCORE_ERROR_[A-Z_]+", enum) if code != "CORE_ERROR_MAX"]
    table = read("service/bus-error.c")
    if len(codes) < 10:
        yield "src/base/error.h: the enumeration was not understood"
    for code in codes:
        camel = "".join(word.capitalize() for word in code[len("CORE_ERROR_"):].split("_"))
        if not re.search(rf'\[{code}\] = BUS_ERROR\("{camel}"\)', table):
            yield f"service/bus-error.c: {code} is not {camel}"


RULES = [
    core_knows_no_bus, includes_go_down, those_apart_keep_apart, ctl_is_a_program_like_others,
    installed_headers_stand_alone, only_worker_pool_has_a_loop, every_layer_is_known,
    includes_carry_the_folder, service_includes_what_is_there, headers_compile_alone,
    sources_are_built, license_lines, no_long_files, every_error_has_a_name,
]


def main():
    failed = 0
    print(f"1..{len(RULES)}", flush=True)
    for number, rule in enumerate(RULES, 1):
        findings = list(rule())
        for finding in findings:
            for line in finding.splitlines():
                print("# " + line)
        failed += bool(findings)
        print(f"{'not ok' if findings else 'ok'} {number} - {rule.__name__.replace('_', '-')}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
