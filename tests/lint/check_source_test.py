#!/usr/bin/python3
# SPDX-License-Identifier: PostgreSQL
"""check_source.py finds what it forbids and nothing else: a bad tree for each row of its tables."""

import fnmatch
import os
import re
import subprocess
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import check_source  # noqa: E402

SPDX = "// SPDX-License-Identifier: PostgreSQL\n"

# A small tree that breaks nothing; each case adds one file to it.
GOOD = {
    "config/settings.hpp": "#pragma once\n",
    "config/load.cpp": '#include "config/settings.hpp"\n#include <yaml-cpp/yaml.h>\n',
    "health/decide.hpp": "#pragma once\n"
    '#include "config/settings.hpp"\n#include "health/topology.hpp"\n',
    "health/topology.hpp": '#pragma once\n#include "health/member.hpp"\n',
    "health/member.hpp": "#pragma once\n",
    "health/monitor.hpp": "#pragma once\n#include <boost/asio/io_context.hpp>\n",
    "health/lookup.cpp": "auto x = ::getaddrinfo(host);\n",
    "health/http_connection.cpp": "#include <boost/beast/http.hpp>\n"
    "#include <boost/asio/ssl/context.hpp>\n",
    "health/http_connection.hpp": "#pragma once\n",
    "health/observer.hpp": "#pragma once\n",
    "health/sql_probe.cpp": "#include <libpq-fe.h>\n",
    "proxy/cluster_record.hpp": '#pragma once\n#include "health/observer.hpp"\n',
    "proxy/route.cpp": '#include "health/topology.hpp"\n#include "proxy/pgwire/first_packet.hpp"\n',
    "proxy/pgwire/first_packet.hpp": "#pragma once\n",
    "proxy/pgwire/first_packet.cpp": '#include "proxy/pgwire/first_packet.hpp"\n',
    "proxy/server.cpp": '#include "health/monitor.hpp"\n#include "config/load.hpp"\n',
    "proxy/metrics.cpp": "#include <prometheus/registry.h>\n",
    "proxy/cli/client.cpp": '#include <CLI/CLI.hpp>\n#include "health/http_connection.hpp"\n',
    "tests/unit/route_test.cpp": "using namespace std;\n",
    "tests/loopback/fake.cpp": "#include <boost/beast/http.hpp>\n",
    "bench/run.cpp": "",
    "deploy/demo/run.py": "",
    ".ci/build.sh": "",
    "build/CMakeCache.txt": "",
    "build/generated/x.hpp": "using namespace std;",
    "out/CMakeCache.txt": "",
    "out/x.hpp": "using namespace std;",
    # What only looks like an offence.
    "proxy/words.hpp": "#pragma once\n"
    "// a new session; delete x; using namespace std; std::regex; asio::detached\n"
    "/* new (x)\n   delete [] x */\n"
    "struct s { s(const s&) = delete; void* operator new(std::size_t); int renew(int); };\n"
    'inline const char* text = "new session: \\" delete x // not a comment";\n'
    "inline const char* raw = R\"(new thing \" delete it)\";\n"
    "inline int number = 10'000; inline char c = '\\''; inline char quote = '\"'; // new x\n",
}

# (rule, path, text): offends exactly this rule, by the rows of the tables in their order.
BAD = [
    ("include", "config/settings.hpp", '#pragma once\n#include "config/units.hpp"\n'),
    ("include", "config/x_settings.hpp", '#pragma once\n#include "config/units.hpp"\n'),
    ("include", "config/places.hpp", '#pragma once\n#include "health/topology.hpp"\n'),
    ("include", "config/diff.cpp", '#include "health/member.hpp"\n'),
    ("include", "health/decide.cpp", '#include "proxy/errc.hpp"\n'),
    ("include", "health/monitor.cpp", '  #  include "proxy/stats.hpp"\n'),
    ("include", "health/monitor.cpp", "#include <proxy/stats.hpp>\n"),
    ("include", "health/monitor.cpp", '#include "config/load.hpp"\n'),
    ("include", "proxy/pgwire/x.cpp", '#include "proxy/errc.hpp"\n'),
    ("include", "proxy/pgwire/x.cpp", '#include "config/settings.hpp"\n'),
    ("include", "proxy/worker.cpp", '#include "health/decide.hpp"\n'),
    ("include", "proxy/worker.cpp", '#include "health/patroni/member_body.hpp"\n'),
    ("include", "proxy/worker.cpp", '#include "health/observer.hpp"\n'),
    ("include", "proxy/cluster_record.cpp", '#include "health/monitor.hpp"\n'),
    ("include", "proxy/cli/client.cpp", '#include "health/topology.hpp"\n'),
    ("include", "proxy/server.cpp", '#include "tests/support/bytes.hpp"\n'),
    ("pure", "proxy/route.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "health/lock.hpp", '#pragma once\n#include "health/monitor.hpp"\n'),
    ("pure", "config/units.cpp", "#include <yaml-cpp/yaml.h>\n"),
    ("pure", "proxy/admin/login_attempts.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "config/utf8.cpp", "#include <yaml-cpp/yaml.h>\n"),
    ("pure", "config/address.cpp", '#include "config/load.hpp"\n'),
    ("pure", "config/network.cpp", '#include "config/load.hpp"\n'),
    ("pure", "config/quote.cpp", '#include "config/load.hpp"\n'),
    ("pure", "config/yaml_writer.cpp", "#include <yaml-cpp/yaml.h>\n"),
    ("pure", "config/words.hpp", '#pragma once\n#include "config/schema.hpp"\n'),
    ("pure", "config/haproxy/import.cpp", '#include "config/load.hpp"\n'),
    ("pure", "health/decide.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "health/lock.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/schedule.cpp", "#include <prometheus/counter.h>\n"),
    ("pure", "health/topology.hpp", "#pragma once\n#include <boost/asio.hpp>\n"),
    ("pure", "health/member.hpp", "#pragma once\n#include <libpq-fe.h>\n"),
    ("pure", "health/evidence.hpp", "#pragma once\n#include <boost/beast/http.hpp>\n"),
    ("pure", "health/scene.hpp", '#pragma once\n#include "health/monitor.hpp"\n'),
    ("pure", "health/writer.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/reader.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/demands.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/facts.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/lag.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/progress.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/patroni/timestamp.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/doubt.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/address.cpp", "#include <boost/asio/ip/address.hpp>\n"),
    ("pure", "health/address_trials.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/bursts.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/restrain.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/postgres/decide.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "health/postgres/evidence.cpp", "#include <libpq-fe.h>\n"),
    ("pure", "health/postgres/writer.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/check_count.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "health/heard.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/dcs/guard.hpp", "#pragma once\n#include <boost/asio/post.hpp>\n"),
    ("pure", "health/dcs/base64.cpp", "#include <boost/beast/core.hpp>\n"),
    ("pure", "health/dcs/cluster_keys.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/dcs/conn_url.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "health/dcs/etcd3_messages.cpp", '#include "health/http_connection.hpp"\n'),
    ("pure", "health/dcs/object_splitter.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "proxy/role_history.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/door_changes.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/log_queue.cpp", '#include "proxy/log_writer.hpp"\n'),
    ("pure", "proxy/log_record.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/log_text.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/repeats.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "proxy/address_range.cpp", "#include <boost/asio/ip/address.hpp>\n"),
    ("pure", "proxy/availability.cpp", '#include "proxy/cluster_record.hpp"\n'),
    ("pure", "proxy/rate.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "proxy/token_bucket.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("include", "proxy/admin/basic_auth.cpp", '#include "health/topology.hpp"\n'),
    ("pure", "health/operator_order.hpp", '#pragma once\n#include "health/monitor.hpp"\n'),
    ("pure", "proxy/client_names.cpp", '#include "proxy/session.hpp"\n'),
    ("pure", "proxy/operator_state.cpp", '#include "proxy/front.hpp"\n'),
    ("pure", "proxy/session_list.cpp", '#include "proxy/worker.hpp"\n'),
    ("pure", "proxy/recent.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "proxy/balance.cpp", '#include "proxy/worker.hpp"\n'),
    ("pure", "proxy/rebalance.cpp", '#include "proxy/worker.hpp"\n'),
    ("pure", "health/check_report.hpp", '#pragma once\n#include "health/check_loop.hpp"\n'),
    ("pure", "proxy/match.cpp", '#include "config/load.hpp"\n'),
    ("pure", "proxy/slowstart.cpp", "#include <boost/asio/steady_timer.hpp>\n"),
    ("pure", "health/inherit.cpp", "#include <boost/asio/post.hpp>\n"),
    ("pure", "proxy/seating.cpp", '#include "proxy/worker.hpp"\n'),
    ("pure", "proxy/waiting_line.cpp", '#include "proxy/session.hpp"\n'),
    ("pure", "proxy/listen_fds.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/service_status.cpp", '#include "proxy/service_notify.hpp"\n'),
    ("pure", "proxy/handed_over.cpp", '#include "proxy/successor.hpp"\n'),
    ("pure", "proxy/handed_history.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "proxy/member_places.cpp", '#include "proxy/hold.hpp"\n'),
    ("pure", "proxy/settings_wait.cpp", '#include "proxy/log.hpp"\n'),
    ("pure", "health/patroni/member_body.cpp", "#include <boost/beast/http.hpp>\n"),
    ("pure", "health/patroni/json_fields.cpp", "#include <boost/asio/buffer.hpp>\n"),
    ("pure", "proxy/handshake.cpp", "#include <openssl/ssl.h>\n"),
    ("pure", "proxy/route.hpp", "#pragma once\n#include <systemd/sd-daemon.h>\n"),
    ("pure", "proxy/termination.cpp", "#include <boost/asio/error.hpp>\n"),
    ("pure", "proxy/errc.cpp", "#include <CLI/CLI.hpp>\n"),
    ("pure", "proxy/pgwire/frame_tracker.cpp", "#include <boost/asio/buffer.hpp>\n"),
    ("home", "health/monitor.cpp", "#include <libpq-fe.h>\n"),
    ("home", "health/patroni/rest_client.cpp", "#include <boost/beast/http.hpp>\n"),
    ("home", "proxy/cli/client.cpp", "#include <boost/beast/http.hpp>\n"),
    ("home", "proxy/worker.cpp", "#include <yaml-cpp/yaml.h>\n"),
    ("home", "config/load.hpp", "#pragma once\n#include <yaml-cpp/yaml.h>\n"),
    ("home", "proxy/stats.cpp", "#include <prometheus/counter.h>\n"),
    ("home", "proxy/admin/routes.cpp", "#include <boost/beast/http.hpp>\n"),
    ("home", "proxy/session.cpp", "#include <openssl/ssl.h>\n"),
    ("home", "proxy/session.cpp", "#include <boost/asio/ssl.hpp>\n"),
    ("home", "proxy/tls_context.cpp", "#include <boost/beast/ssl.hpp>\n"),
    ("home", "proxy/main.cpp", "#include <CLI/CLI.hpp>\n"),
    ("home", "proxy/main.cpp", "#include <systemd/sd-daemon.h>\n"),
    ("banned", "proxy/worker.cpp", "co_spawn(ex, run(), asio::detached);\n"),
    ("banned", "proxy/worker.cpp", "std::atomic<std::shared_ptr<int>> x;\n"),
    ("banned", "proxy/worker.cpp", "std::atomic< shared_ptr<int> > x;\n"),
    ("banned", "proxy/connect.cpp", "co_await r.async_resolve(host, port);\n"),
    ("banned", "tests/loopback/x.cpp", "r.async_resolve(host, port);\n"),
    ("banned", "health/resolve.cpp", "::getaddrinfo(host, nullptr, &wanted, &found);\n"),
    ("banned", "proxy/stats.hpp", "#pragma once\n  using  namespace std::chrono;\n"),
    ("banned", "proxy/stats.cpp", "#include <regex>\n"),
    ("banned", "proxy/stats.cpp", 'std::regex r("x");\n'),
    ("banned", "proxy/stats.cpp", "auto* x = new int(5);\n"),
    ("banned", "proxy/stats.cpp", "auto* x = new char[5];\n"),
    ("banned", "proxy/stats.cpp", "auto* x = new ::server(5);\n"),
    ("banned", "proxy/stats.cpp", "new (place) server;\n"),
    ("banned", "proxy/stats.cpp", "delete x;\n"),
    ("banned", "proxy/stats.cpp", "delete[] x;\n"),
    ("banned", "tests/unit/x_test.cpp", "std::this_thread::sleep_for(1s);\n"),
    ("banned", "tests/loopback/x.cpp", "std::this_thread::sleep_until(t);\n"),
    ("banned", "tests/loopback/x.cpp", "usleep(10);\n"),
    ("length", "proxy/stats.hpp", "#pragma once\n" + "\n" * 199),
    ("length", "proxy/stats.cpp", "\n" * 400),
    ("length", "tests/unit/x_test.cpp", "\n" * 600),
    ("length", "tests/support/x.hpp", "#pragma once\n" + "\n" * 599),
    ("pragma", "proxy/stats.hpp", "struct s;\n"),
    ("pragma", "tests/support/x.hpp", "// #pragma once\n"),
    ("folder", "common.d/x.txt", ""),
    ("folder", "src/main.cpp", ""),
    ("folder", "proxy/common/x.hpp", "#pragma once\n"),
    ("folder", "health/util/x.txt", ""),
    ("folder", "tests/utils/x.py", ""),
]


def write_tree(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(SPDX + text if path.endswith((".hpp", ".cpp")) else text)


def offences(files):
    with tempfile.TemporaryDirectory() as root:
        write_tree(root, files)
        return check_source.check_tree(root)


class CheckSource(unittest.TestCase):
    def test_a_good_tree_is_clean(self):
        self.assertEqual(offences(GOOD), [])

    def test_each_offence_is_found_and_nothing_else(self):
        for rule, path, text in BAD:
            with self.subTest(rule=rule, path=path, text=text[:60]):
                found = offences({**GOOD, path: text})
                self.assertEqual({f[2] for f in found}, {rule})
                self.assertEqual(len(found), 1)

    def test_a_file_without_the_licence_line_is_found(self):
        for path in ("proxy/x.hpp", "proxy/x.cpp", "tests/unit/x_test.cpp"):
            with self.subTest(path=path), tempfile.TemporaryDirectory() as root:
                write_tree(root, GOOD)
                with open(os.path.join(root, path), "w", encoding="utf-8") as f:
                    f.write("#pragma once\n" + SPDX)
                found = check_source.check_tree(root)
                self.assertEqual([f[:3] for f in found], [(path, 1, "spdx")])

    def test_every_row_of_the_tables_has_an_offender(self):
        # The bad trees must keep up with the rules.
        is_pure = [check_source.matches(path, check_source.PURE) for _, path, _ in BAD]
        for name, headers, homes in check_source.THIRD_PARTY:
            with self.subTest(name):
                starts = [f"<{h.rstrip('*')}" for h in headers]
                used = [pure for pure, (_, _, text) in zip(is_pure, BAD)
                        if any(start in text for start in starts)]
                self.assertIn(True, used, "in a pure file")
                if homes is not check_source.ANYWHERE:
                    self.assertIn(False, used, "away from home")
        for pattern, files, _, _ in check_source.BANNED:
            with self.subTest(pattern):
                self.assertTrue(any(check_source.matches(path, files) and re.search(pattern, text)
                                    for _, path, text in BAD))
        for pattern in check_source.PURE:
            with self.subTest(pattern):
                self.assertTrue(any(rule in ("pure", "include") and fnmatch.fnmatch(path, pattern)
                                    for rule, path, _ in BAD))

    def test_the_line_is_the_offenders(self):
        found = offences({**GOOD, "proxy/stats.cpp": "/* two\nlines */\nint x;\ndelete y;\n"})
        self.assertEqual(found[0][:3], ("proxy/stats.cpp", 5, "banned"))

    def test_the_program_says_what_it_found(self):
        with tempfile.TemporaryDirectory() as root:
            write_tree(root, GOOD)
            command = [sys.executable, os.path.join(HERE, "check_source.py"), root]
            self.assertEqual(subprocess.run(command).returncode, 0)

            write_tree(root, {"proxy/stats.cpp": "delete x;\n"})
            done = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(done.returncode, 1)
            self.assertTrue(done.stdout.startswith("proxy/stats.cpp:2: [banned] "), done.stdout)

            command[-1] = os.path.join(root, "config")
            self.assertEqual(subprocess.run(command, stderr=subprocess.DEVNULL).returncode, 2)


if __name__ == "__main__":
    unittest.main()
