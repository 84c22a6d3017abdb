# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/definition.md has the keys of a definition: those that the parser knows, each once, with the
words that a policy may be."""
import os
import re
import unittest

import tap

SOURCE = os.environ["VMHERALD_SOURCE"]
TABLES = {"The definition of a domain": "document_keys", "interfaces": "interface_keys",
          "firmware": "firmware_keys", "consoles": "console_keys", "resources": "resource_keys"}


def read(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


def documented():
    """Heading -> {key: meaning}."""
    found, heading = {}, None
    for line in read("docs", "definition.md").splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        match = re.match(r"\| `([^`]+)` \| [^|]+ \| (.+) \|$", line)
        if match:
            key, meaning = match.groups()
            assert key not in found.setdefault(heading, {}), f"{key} stands there twice"
            found[heading][key] = meaning
    return found


def known(table):
    text = "".join(read("src", "model", f"definition-{part}.c")
                   for part in ("parse", "interface", "start"))
    body = re.search(table + r"\[\] = \{\n(.*?)\n\};", text, re.DOTALL).group(1)
    return re.findall(r'^\t\{ "([^"]+)"', body, re.MULTILINE)


class Definition(unittest.TestCase):
    def test_keys(self):
        for heading, table in TABLES.items():
            with self.subTest(table=table):
                self.assertEqual(sorted(known(table)), sorted(documented()[heading]))

    def test_order(self):
        for heading, table in TABLES.items():
            with self.subTest(table=table):
                self.assertEqual(known(table), list(documented()[heading]))

    def test_watchdog_actions(self):
        text = read("src", "model", "definition-values.c")
        body = re.search(r"watchdog_actions\[\] = \{(.*?)\}", text, re.DOTALL).group(1)
        default = re.search(r'DEFINITION_WATCHDOG_DEFAULT\s+("[^"]+")',
                            read("src", "model", "definition-private.h")).group(1)
        body = body.replace("DEFINITION_WATCHDOG_DEFAULT", default)
        actions = re.findall(r'"([^"]+)"', body)
        meaning = documented()["The definition of a domain"]["on-watchdog"]
        self.assertEqual(sorted(actions), sorted(re.findall(r"`([^`]+)`", meaning)))


if __name__ == "__main__":
    tap.main()
