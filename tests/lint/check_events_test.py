#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""check_events.py finds each way in which the log and its description can differ."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_events  # noqa: E402

CODE = '''#include "proxy/log.hpp"
// log::line(log_level::info, "only_a_comment").add("nothing", 1);
void f()
{
    log::line(log_level::info, pause ? "paused" : "resumed").add("listener", name);
    log::line line(up ? log_level::info : log_level::warning, up ? "member_up" : "member_down");
    line.name("member", m);
    log::line(
        config::log_level::error, "failed"
    )
        .text("error", e.what());
    log::line told(probe ? log_level::debug : log_level::info, "session_end");
}
'''
DOCUMENT = '''# Events

| event | level | fields | means |
|---|---|---|---|
| `paused` | info | `listener` | x |
| `resumed` | info | `listener` | x |
| `member_up` | info | `member` | x |
| `member_down` | warning | `member` | x |
| `failed` | error | `error` | `nothing` here is a field |
| `session_end` | info, debug | | x |
'''


def differences(code, document):
    with tempfile.TemporaryDirectory() as root:
        for path, text in (("proxy/x.cpp", code), ("deploy/events.md", document)):
            os.makedirs(os.path.dirname(f"{root}/{path}"), exist_ok=True)
            with open(f"{root}/{path}", "w", encoding="utf-8") as file:
                file.write(text)
        return check_events.differences(root)


class CheckEvents(unittest.TestCase):
    def test_what_is_the_same_is_no_difference(self):
        self.assertEqual(differences(CODE, DOCUMENT), [])

    def test_each_difference_is_found(self):
        rows = (
            (CODE.replace('"failed"', '"gone"'), DOCUMENT, ["event 'gone'", "no code tells 'failed'"]),
            (CODE, DOCUMENT.replace("`paused`", "`pausing`"), ["event 'paused'", "no code tells 'pausing'"]),
            (CODE.replace("log_level::error", "log_level::info"), DOCUMENT, ["'failed' is info"]),
            (CODE.replace("up ? log_level::info : log_level::warning", "log_level::info"), DOCUMENT,
             ["'member_down' is info"]),
            (CODE.replace('"error"', '"why"'), DOCUMENT, ["field 'why'", "no event has the field 'error'"]),
            (CODE.replace('pause ? "paused" : "resumed"', "event"), DOCUMENT,
             ["proxy/x.cpp:5: ", "no code tells 'paused'", "no code tells 'resumed'"]),
        )
        for code, document, expected in rows:
            with self.subTest(expected):
                found = differences(code, document)
                self.assertEqual(len(found), len(expected), found)
                for sentence, part in zip(found, expected):
                    self.assertIn(part, sentence)


if __name__ == "__main__":
    unittest.main()
