# SPDX-License-Identifier: PostgreSQL
import configparser
import re
import subprocess

from conftest import ROOT

UNIT = ROOT / "deploy/systemd/rolegate.service"


def settings():
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str
    parser.read(UNIT)
    return parser


def test_the_service_is_locked_up_well():
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--threshold=20", UNIT],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    level = float(re.search(r"exposure level for \S+: ([0-9.]+)", done.stdout).group(1))
    assert level <= 2.0


def test_time_to_stop_is_longer_than_shutdown_takes():
    default = re.search(r"^shutdown_timeout: (\d+)s", (ROOT / "config/reference.yaml").read_text(),
                        re.M).group(1)
    stop = settings()["Service"]["TimeoutStopSec"]
    assert int(stop.removesuffix("s")) > int(default)


def test_an_upgrade_may_change_the_main_process():
    service = settings()["Service"]
    assert service["Type"] == "notify"
    assert service["NotifyAccess"] == "all"
