# SPDX-License-Identifier: PostgreSQL
"""The Debian package, installed into a copy of this machine that is thrown away: an overlay of its
root in namespaces of its own, so that neither its files nor its ports are touched."""

import re
import subprocess

import pytest

from conftest import ROOT

# Of the copy; dpkg's own records, and what its triggers write anew, are no files of the package.
LIST_FILES = r"""find /etc /usr /run /srv /opt /home /var -xdev \( -path /var/lib/dpkg -o -path /var/log \
    -o -path /var/cache \) -prune -o -print | grep -vE '^/etc/(passwd|group|g?shadow)-?$|^/usr/share/info/dir' | sort"""

# The overlay's own files must not lie on the root that it shows.
ENTER = r"""
set -eu
mount -t tmpfs tmpfs /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work /mnt/root
mkdir -p /mnt/root/source /mnt/root/packages
mount --bind "$1" /mnt/root/source
mount --bind "$2" /mnt/root/packages
mount -t proc proc /mnt/root/proc
mount --bind /dev /mnt/root/dev
# man-db would index every page of this machine each time.
rm -f /mnt/root/var/lib/man-db/auto-update
ip link set lo up
exec chroot /mnt/root bash -c "set -euo pipefail; export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
install() { dpkg -i /packages/rolegate_*.deb 2>&1; }
$3"
"""


@pytest.fixture(scope="session")
def deb(rolegate, tmp_path_factory):
    """A directory with the package."""
    folder = tmp_path_factory.mktemp("packages")
    build = rolegate.resolve().parent
    subprocess.run(["ninja", "-C", build, "package_files"], check=True, capture_output=True)
    done = subprocess.run(["cpack", "--config", build / "CPackConfig.cmake", "-B", folder],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(folder.glob("*.deb"))) == 1
    return folder


@pytest.fixture(scope="session")
def inside(deb):
    """Runs a script in a fresh copy; `install` installs the package there."""
    def run(script):
        done = subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", ENTER,
             "bash", ROOT, deb, script], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
    return run


def test_lintian_has_nothing_to_say(deb):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning",
                           *deb.glob("*.deb")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout == ""


def test_the_changelogs_tell_of_this_version(deb):
    version = re.search(r"project\(rolegate VERSION ([0-9.]+)",
                        (ROOT / "CMakeLists.txt").read_text()).group(1)
    debian = (ROOT / "deploy/debian/changelog").read_text()
    assert debian.startswith(f"rolegate ({version}-1) ")
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()
    assert list(deb.glob(f"rolegate_{version}-1_*.deb"))


def test_it_installs(inside):
    out = inside("""
        install
        echo FILES; dpkg -L rolegate; echo END
        dpkg -L rolegate | while read -r file; do [ -e "$file" ] || echo "MISSING $file"; done
        dpkg --verify rolegate
        stat -c 'MODE %n %A %U %G' /etc/rolegate /etc/rolegate/rolegate.yaml
        echo "USER $(getent passwd rolegate)"
        ls -l /etc/systemd/system/multi-user.target.wants/rolegate.service
        systemd-analyze verify rolegate.service 2>&1 | sed -n '/rolegate/s/^/VERIFY /p'
        man -w rolegate rolegate.yaml
        rolegate version | head -1
        setpriv --reuid rolegate --regid rolegate --clear-groups rolegate check -c /etc/rolegate/rolegate.yaml
    """)
    files = out.split("FILES\n")[1].split("END\n")[0].split()
    for file in ("/usr/bin/rolegate", "/usr/lib/systemd/system/rolegate.service",
                 "/usr/lib/sysusers.d/rolegate.conf", "/etc/rolegate/rolegate.yaml",
                 "/usr/share/man/man1/rolegate.1.gz", "/usr/share/man/man5/rolegate.yaml.5.gz",
                 "/usr/share/bash-completion/completions/rolegate",
                 "/usr/share/rolegate/rolegate.schema.json", "/usr/share/rolegate/rolegate.yaml",
                 "/usr/share/doc/rolegate/README.md", "/usr/share/doc/rolegate/copyright"):
        assert file in files
    for extra in ("grafana-dashboard.json", "prometheus-alerts.yaml"):
        assert (f"/usr/share/rolegate/{extra}" in files) == (ROOT / "deploy" / extra).exists()
    assert "MISSING" not in out
    assert "VERIFY" not in out
    assert "MODE /etc/rolegate drwxr-x--- root rolegate" in out
    assert "MODE /etc/rolegate/rolegate.yaml -rw-r----- root rolegate" in out
    assert re.search(r"USER rolegate:.*/nologin", out)
    assert "multi-user.target.wants/rolegate.service -> " in out
    assert "not started. Edit /etc/rolegate/rolegate.yaml" in out
    assert "/etc/rolegate/rolegate.yaml: ok" in out


SERVE = r"""
    install > /dev/null
    unit=/usr/lib/systemd/system/rolegate.service
    # As systemd understands the two lines.
    condition=$(sed -n 's/^ExecCondition=//p' $unit)
    command=$(sed -n 's/^ExecStart=//p' $unit)
    eval "$condition" && echo "STARTS WITH THE EXAMPLE"
    sed -i 's/members: .*/members: [127.46.0.1:8008]/' /etc/rolegate/rolegate.yaml
    eval "$condition" && echo "CONDITION MET"
    /usr/bin/python3 -B /source/bench/fake_patroni.py 127.46 1 3 8008 5432 9999 > /tmp/patroni.log 2>&1 &
    cd /
    setpriv --reuid rolegate --regid rolegate --clear-groups --bounding-set -all --no-new-privs \
        $command > /tmp/rolegate.log 2>&1 &
    rolegate=$!
    ready=0
    for try in $(seq 300); do
        kill -0 $rolegate || break
        if curl -sf -o /dev/null http://127.0.0.1:7000/readyz; then ready=1; break; fi
        sleep 0.1
    done
    ((ready)) || { cat /tmp/rolegate.log /tmp/patroni.log; exit 1; }
    echo "LIVEZ $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:7000/livez)"
    rolegate status
    kill -TERM $rolegate
    code=0; wait $rolegate || code=$?
    echo "ENDED $code"
"""


def test_the_service_runs_as_its_user(inside):
    out = inside(SERVE)
    assert "STARTS WITH THE EXAMPLE" not in out
    assert "CONDITION MET" in out
    assert "LIVEZ 200" in out
    assert "primary m0" in out
    assert "ENDED 0" in out


def test_an_upgrade_keeps_the_configuration(inside):
    out = inside("""
        install > /dev/null
        echo '# mine' >> /etc/rolegate/rolegate.yaml
        chmod 0600 /etc/rolegate/rolegate.yaml
        install > /dev/null
        tail -1 /etc/rolegate/rolegate.yaml
        stat -c 'MODE %a' /etc/rolegate/rolegate.yaml
    """)
    assert "# mine" in out
    assert "MODE 600" in out


def test_removing_leaves_the_configuration_and_purging_nothing(inside):
    out = inside(f"""
        list() {{ {LIST_FILES}; }}
        list > /tmp/before
        install > /dev/null
        list > /tmp/installed
        echo "INSTALLED $(comm -13 /tmp/before /tmp/installed | wc -l)"
        dpkg -r rolegate > /dev/null 2>&1
        ls /etc/rolegate
        [ ! -e /usr/bin/rolegate ]
        dpkg -P rolegate > /dev/null 2>&1
        list > /tmp/after
        diff /tmp/before /tmp/after | sed 's/^/DIFFERS /' || true
    """)
    assert int(re.search(r"INSTALLED (\d+)", out).group(1)) > 10
    assert "rolegate.yaml" in out
    assert "DIFFERS" not in out
