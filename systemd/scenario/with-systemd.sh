#!/usr/bin/env bash
# Boots a real systemd and runs a command under it: with-systemd.sh DIRECTORY COMMAND [ARGUMENT...]
#
#   this machine                            inside (own pid, mount, net, ipc, uts and cgroup namespaces)
#   /          ──── read only, below ─────► /      with a layer in memory on top, gone afterwards
#   DIRECTORY  ──── bound, read only ─────► /srv
#                                           PID 1: systemd, none of this machine's own units; network: lo alone
#
# The exit status is the command's; if it is not 0, the journal follows. Nothing of the machine is touched and
# nothing is left behind. Needs root, overlayfs and an installed systemd; downloads nothing.
set -euo pipefail

[ $# -ge 2 ] || { sed -n '2s/^# //p' "$0"; exit 2; }
stage=$(realpath "$1")
shift
[ "$(id -u)" = 0 ] || { echo "with-systemd: must be root to make namespaces and an overlay" >&2; exit 2; }

scratch=$(mktemp -d /var/tmp/with-systemd.XXXXXX)
console=$scratch/console
cgroup=

# Runs as PID 1 of the new namespaces: makes the root file system, then becomes systemd.
become_systemd() {
    set -eu
    local root=$scratch/root layer=$scratch/layer
    mount --make-rprivate /
    mkdir "$root" "$layer"
    mount -t tmpfs with-systemd "$layer"
    mkdir "$layer/upper" "$layer/work"
    mount -t overlay with-systemd -o "lowerdir=/,upperdir=$layer/upper,workdir=$layer/work" "$root"

    # Only what the command starts: none of the machine's own units, and no waiting for hardware.
    rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/systemd/system/*.requires
    local unit
    for unit in apt-daily.timer console-getty.service e2scrub_reap.service getty@tty1.service \
        systemd-modules-load.service systemd-timesyncd.service; do
        ln -sf /dev/null "$root/etc/systemd/system/$unit"
    done
    : >"$root/etc/fstab"

    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
    mount -t tmpfs -o mode=0755 run "$root/run"
    mount -t tmpfs -o mode=1777 tmp "$root/tmp"
    mount -t tmpfs -o mode=0755 dev "$root/dev"
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777 shm "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    local node
    for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 0666 "$root/dev/${node%:*}" c 1 "${node#*:}"; done
    mknod -m 0666 "$root/dev/tty" c 5 0
    mkdir -p "$root/srv"
    mount --bind "$stage" "$root/srv"
    mount -o remount,bind,ro "$root/srv"
    ip link set lo up

    cd "$root"
    mkdir -p .before
    pivot_root . .before
    umount -l /.before
    exec env -i container=with-systemd PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        /lib/systemd/systemd --system --show-status=0 --log-target=journal --unit=multi-user.target
}

# A cgroup of its own, so that this systemd keeps its hands off the groups it was started from.
own_cgroup() {
    local mounted inside
    mounted=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) || return 0
    inside=$(sed -n 's/^0:://p' /proc/self/cgroup)
    mkdir "$mounted${inside%/}/with-systemd.$$" 2>/dev/null || return 0
    cgroup=$mounted${inside%/}/with-systemd.$$
}

clean_up() {
    # The death of its PID 1 ends every process inside; the mounts go with the namespace.
    [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null || true
    [ -z "${launcher:-}" ] || wait "$launcher" 2>/dev/null || true
    rm -rf "$scratch"
    [ -z "$cgroup" ] || find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap clean_up EXIT

inside() {
    nsenter --target "$init" --mount --uts --ipc --net --pid --cgroup --root --wd \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb "$@"
}

# until_true SECONDS COMMAND…
until_true() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}
found_init() {
    init=$(cat "/proc/$launcher/task/$launcher/children" 2>/dev/null) || return 1
    init=${init%% *}
    [ -n "$init" ]
}
is_systemd() { [ "$(cat "/proc/$init/comm" 2>/dev/null)" = systemd ]; }
is_booted() { case $(inside systemctl is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac; }

own_cgroup
export scratch stage
export -f become_systemd
(
    [ -z "$cgroup" ] || echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec unshare --mount --pid --fork --uts --ipc --net --cgroup --kill-child bash -c become_systemd
) <"/dev/null" >"$console" 2>&1 &
launcher=$!

if ! { until_true 10 found_init && until_true 10 is_systemd && until_true 60 is_booted; }; then
    echo "with-systemd: systemd did not come up:" >&2
    cat "$console" >&2
    exit 2
fi
code=0
inside "$@" || code=$?
if [ $code != 0 ]; then
    echo "--- with-systemd: exit status $code; the journal:"
    cat "$console"
    inside journalctl --no-pager --output=short-monotonic --lines=300 || true
fi
exit $code
