#!/usr/bin/env bash
# Installs the units as a package would, and checks what they promise. Runs inside with-systemd.sh; see `run`.
#
#   eisbach-sim serve ◄── Modbus, MQTT ── eisbach-agent.service ── socket ── eisbach-gpu.service
#    (plant, root) └────── stand-in NVML library and its shared state ───────────────┘
set -euo pipefail

AGENT=eisbach-agent.service
GPU=eisbach-gpu.service
CONFIG=/etc/eisbach/agent.toml
STATUS=/run/eisbach-agent/status.sock
WORLD=/run/eisbach-sim

number=0
ok() { number=$((number + 1)); printf 'ok %d - %s\n' "$number" "$1"; }
fail() { printf 'not ok %d - %s\n' $((number + 1)) "$1"; exit 1; }

# eventually SECONDS WHAT COMMAND…: polls until the command is true.
eventually() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@"; do
        [ $SECONDS -lt $deadline ] || fail "$what: not within its time"
        sleep 0.05
    done
}

property() { systemctl show "$1" --property="$2" --value; }
main_pid() { property "$1" MainPID; }
of_process() { awk -v key="$2:" '$1 == key { print $2 }' "/proc/$(main_pid "$1")/status"; }
network_of() { readlink "/proc/$(main_pid "$1")/ns/net"; }
is_active() { [ "$(property "$1" ActiveState)" = active ]; }
restarted() { [ "$(property "$1" NRestarts)" -gt "$2" ] && is_active "$1"; }
status() { eisbach-agent status --json --socket $STATUS 2>/dev/null; }
says() { status | grep -Eq "$1"; }
controls() { says '"state": *"running"'; }
alarm_stands() { says "\"name\": *\"$1\",[^}]*\"shown\": *true"; }
alarm_gone() { status | grep -q '"alarms"' && ! alarm_stands "$1"; }
logged() { journalctl --sync; journalctl --no-pager --output=cat --after-cursor="$mark" | grep -q "$1"; }
set_mark() { journalctl --sync; mark=$(journalctl --no-pager --lines=0 --show-cursor | sed -n 's/^-- cursor: //p'); }
# in_order FIRST THEN…: the log since the mark has these lines in this order.
in_order() {
    journalctl --sync
    journalctl --no-pager --output=cat --after-cursor="$mark" |
        awk 'BEGIN { for (i = 1; i < ARGC; i++) want[i] = ARGV[i]; last = ARGC - 1; ARGC = 1; at = 1 }
             at <= last && $0 ~ want[at] { at++ } END { exit at <= last }' "$@"
}

install_package() {
    install -m 0755 /srv/eisbach-agent /usr/bin/
    install -m 0644 /srv/systemd/*.service /usr/lib/systemd/system/
    install -m 0644 /srv/systemd/sysusers.d/eisbach.conf /usr/lib/sysusers.d/
    install -m 0644 /srv/systemd/tmpfiles.d/eisbach.conf /usr/lib/tmpfiles.d/
    systemd-sysusers eisbach.conf
    systemd-tmpfiles --create eisbach.conf
    install -m 0640 -g eisbach /srv/systemd/agent.toml "$CONFIG"
}

start_world() {
    # Not in /tmp: there the GPU process has a /tmp of its own.
    install -d -m 0755 "$WORLD"
    systemd-run --quiet --unit=eisbach-sim \
        --property=StandardOutput="file:$WORLD/doors.json" --property=StandardError=journal \
        /srv/eisbach-sim serve --json --with-broker --dir "$WORLD" --workload inference
    eventually 20 "the simulator tells its doors" grep -q '}' "$WORLD/doors.json"
}
# door KEY: an address from the simulator's one line of JSON; unit N: the Modbus unit of its Nth device.
door() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$WORLD/doors.json"; }
unit() { sed -n 's/.*"units": *\[\([^]]*\)\].*/\1/p' "$WORLD/doors.json" | cut -d, -f"$1"; }

write_config() {
    local roles=(pump valve meter room leak) at state
    {
        printf '[node]\nname = "scenario"\n[gpu]\nlibrary = "%s"\n' "$(door nvml_library)"
        for at in 0 1 2 3 4; do
            printf '[%s]\naddress = "%s"\nunit = %d\n' "${roles[at]}" "$(door "${roles[at]}")" "$(unit $((at + 1)))"
        done
        printf '[facility]\nbrokers = ["mqtt://%s"]\n[facility.sparkplug]\ngroup = "scenario"\n' "$(door broker)"
    } >"$CONFIG"
    # The stand-in library shares the plant's memory; the real one has the driver instead.
    state=$(door nvml_state)
    chgrp eisbach "$state"
    chmod g+rw "$state"
    install -d "/run/systemd/system/$GPU.d"
    printf '[Service]\nEnvironment=EISBACH_NVML_STATE=%s\nReadWritePaths=%s\n' "$state" "$WORLD" \
        >"/run/systemd/system/$GPU.d/stand-in.conf"
    systemctl daemon-reload
}

# world LINE: says a line to the simulator and prints its answer.
world() {
    python3 -c 'import socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect(sys.argv[1])
door.sendall(sys.argv[2].encode() + b"\n")
print(door.makefile().readline())' "$WORLD/control.sock" "$1"
}
# What is really so in the plant, whatever anybody logs.
truth() { world truth; }
plant_is_safe() { truth | grep -Eq '"pump_run":true,"pump_speed":1(\.0)?,"valve_position":0(\.0)?[,}]'; }
plant_is_not_safe() { ! plant_is_safe; }

# The watchdog has been fed for longer than it waits, since one and the same start.
fed_beyond_its_limit() {
    local began fed
    began=$(systemctl show -P ActiveEnterTimestampMonotonic "$AGENT")
    fed=$(systemctl show -P WatchdogTimestampMonotonic "$AGENT")
    [ $((fed - began)) -gt 4000000 ]
}

# ---- the default configuration ----
install_package
eisbach-agent check --config "$CONFIG" >/dev/null || fail "the shipped configuration is refused"
sed -E 's/^#(\[|[a-z_]+ = )/\1/' "$CONFIG" >/tmp/every-key.toml
eisbach-agent check --config /tmp/every-key.toml >/dev/null || fail "it shows a default that is none"
ok "the shipped configuration is good, and so is every default it shows"

# ---- start ----
start_world
write_config
sed -i '1i tpyo = 1' "$CONFIG"
systemctl start "$AGENT"
eventually 30 "an agent without any good configuration is ready" is_active "$AGENT"
eventually 20 "an agent without any good configuration is kept alive" fed_beyond_its_limit
ok "an agent without any good configuration drives the safe state and lives"
sed -i 1d "$CONFIG"
systemctl restart "$GPU"
systemctl reload "$AGENT"
eventually 30 "both are ready" is_active "$GPU"
eventually 30 "both are ready" is_active "$AGENT"
ok "both report READY, $(systemctl --version | head -n 1)"
eventually 30 "the agent controls" controls
eventually 60 "the agent finds less than everything enough" plant_is_not_safe
ok "the agent controls: pump and valve are where the load wants them"

# ---- who they are ----
[ "$(of_process $AGENT Uid)" = "$(id -u eisbach-agent)" ] && [ "$(of_process $GPU Uid)" = "$(id -u eisbach-gpu)" ] ||
    fail "a process runs as another user"
ok "neither is root, and they are not the same user"
for set in CapEff CapPrm CapBnd CapAmb; do
    [ "$(of_process $AGENT $set)" = 0000000000000000 ] || fail "the agent has a capability ($set)"
    [ "$(of_process $GPU $set)" = 0000000000200000 ] || fail "the GPU process has not just CAP_SYS_ADMIN ($set)"
done
[ "$(of_process $AGENT NoNewPrivs)$(of_process $GPU NoNewPrivs)" = 11 ] || fail "privileges can be gained"
ok "the agent has no capability, the GPU process CAP_SYS_ADMIN alone"
[ "$(grep -c : "/proc/$(main_pid $GPU)/net/dev")" = 1 ] || fail "the GPU process sees a network"
[ "$(network_of $GPU)" != "$(network_of $AGENT)" ] || fail "both are on one network"
ok "the GPU process is on no network"
[ "$(stat -c '%a %G' /run/eisbach-gpu/gpu.sock)" = '660 eisbach' ] || fail "the GPU socket is open to others"
runuser -u nobody -- eisbach-agent status --socket $STATUS >/dev/null 2>&1 && fail "anybody may ask"
ok "only group eisbach reaches the GPU socket, and nobody else the status"
for unit in $AGENT $GPU; do
    verdict=$(systemd-analyze security "$unit" --threshold=25 --no-pager) || fail "$unit: exposure above 2.5"
    ok "live: $(sed -n 's/^→ Overall \(.*\) [^ ]*$/\1/p' <<<"$verdict")"
done

# ---- crash and hang ----
set_mark
before=$(property $AGENT NRestarts)
killed_ms=$(date +%s%3N)
kill -KILL "$(main_pid $AGENT)"
eventually 15 "the killed agent is back" restarted $AGENT "$before"
eventually 30 "the restarted agent controls" controls
ok "a killed agent is restarted and controls again, $(($(date +%s%3N) - killed_ms)) ms after"
in_order 'Main process exited' 'FAILSAFE: first failure' 'Scheduled restart job' ||
    fail "the first failure was not forgiven"
ok "the first failure leaves the devices to the restart: no bump"

set_mark
before=$(property $AGENT NRestarts)
kill -STOP "$(main_pid $AGENT)"
eventually 30 "the hung agent is back" restarted $AGENT "$before"
in_order 'Watchdog timeout' 'FAILSAFE.*pump' 'Scheduled restart job' ||
    fail "the watchdog did not lead to the safe state"
eventually 30 "the agent controls again" controls
ok "the watchdog ends a hung agent; the second failure within a minute drives the safe state; restart, control"

gpu_process_comes_back() { # after SIGNAL
    local before
    before=$(property $GPU NRestarts)
    set_mark
    kill -"$1" "$(main_pid $GPU)"
    eventually 30 "the GPU process is back after SIG$1" restarted $GPU "$before"
    eventually 30 "the agent is linked to it again" logged 'GPU link up'
    eventually 30 "the agent controls again" controls
    logged FAILSAFE && fail "a lost GPU process drove the plant"
    return 0
}
[ "$(property $GPU NRestarts)" = 0 ] || fail "the GPU process restarted by itself: $(property $GPU NRestarts) times"
gpu_process_comes_back KILL
gpu_process_comes_back STOP
[ "$(property $AGENT NRestarts)" = 2 ] || fail "the agent fell with the GPU process"
ok "a killed and a hung GPU process come back; the agent stays up"

# ---- the driver is let go ----
holds_driver() { grep -q 'libeisbach_nvml_sim\|nvml.state' "/proc/$(main_pid $GPU)/maps"; }
detached() { eisbach-agent detach --config "$CONFIG" --for 60s >/tmp/detach 2>&1; }
[ "$(stat -c '%a %G' /run/eisbach-agent/control.sock)" = '660 eisbach-agent' ] || fail "the control socket is open to others"
runuser -u nobody -- eisbach-agent attach --socket /run/eisbach-agent/control.sock >/dev/null 2>&1 && fail "anybody may ask"
holds_driver || fail "the driver cannot be seen in the GPU process; this check proves nothing"
world load-idle >/dev/null
eventually 60 "idle GPUs may be left alone" detached
holds_driver && fail "a file of the driver is still mapped: $(cat /tmp/detach)"
eventually 10 "it is said" alarm_stands gpu_detached
eisbach-agent attach --config "$CONFIG" >/dev/null || fail "the driver is not taken again"
eventually 10 "the driver is taken again" holds_driver
eventually 30 "the alarm ends" alarm_gone gpu_detached
eventually 60 "the agent controls again" controls
world load-inference >/dev/null
ok "detach frees the driver and attach takes it again, for root and the agent's group only"

# ---- configuration ----
cp "$CONFIG" /tmp/good.toml
pid=$(main_pid $AGENT)
sed -i 's/^name = .*/nmae = "typo"/' "$CONFIG"
systemctl reload $AGENT
eventually 10 "the refusal is an alarm" alarm_stands config_refused
[ "$(main_pid $AGENT)" = "$pid" ] && controls || fail "a typo stopped cooling"
ok "a reload with a typo changes nothing but an alarm"
systemctl restart $AGENT
eventually 30 "the agent starts with the typo" controls
alarm_stands config_refused || fail "the typo is forgotten"
ok "a restart with a typo goes on with the last good configuration"
cat /tmp/good.toml >"$CONFIG"
systemctl reload $AGENT
eventually 10 "the alarm ends" alarm_gone config_refused
ok "a mended configuration ends the alarm"

# ---- stop ----
# Both have lived far longer than their watchdogs' time by now.
restarts="$(property $AGENT NRestarts) $(property $GPU NRestarts)"
[ "$restarts" = '0 2' ] || fail "something restarted that was not ended here (agent, GPU process): $restarts"
ok "nothing restarted but what was killed or stopped here"
systemctl stop $AGENT $GPU
[ "$(property $AGENT Result) $(property $GPU Result)" = 'success success' ] || fail "a stop is not clean"
plant_is_safe || fail "the plant is not in its safe state: $(truth)"
[ ! -e /run/eisbach-gpu/gpu.sock ] && [ ! -e $STATUS ] || fail "a socket was left behind"
ok "a stop is clean and leaves the devices in their safe state"
printf '1..%d\n' "$number"
