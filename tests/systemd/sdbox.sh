# shellcheck shell=bash
# sdbox.sh: boot a real systemd (PID 1) in a throw-away container and talk to it.
#   source sdbox.sh;  sdbox_root trixie /path/root.tar;  sdbox_up NAME ROOTDIR [nspawn options];
#   sdbox NAME cmd...;  sdbox_down NAME
# needs root, and: apt-get install -y --no-install-recommends mmdebstrap systemd-container
SDBOX_STATE=${SDBOX_STATE:-${TMPDIR:-/tmp}/sdbox.$$}
mkdir -p "$SDBOX_STATE"

sdbox_mirror() { # the mirror as this machine's apt is set up; never written down anywhere
  # shellcheck disable=SC2016  # apt and mmdebstrap expand these
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI) $(COMPONENT)' |
    awk '$1 == "Debian" && $2 !~ /security/ && $3 == "main" {print $2; exit}'
}

sdbox_root() { # SUITE OUT.tar [pkg,pkg...]
  local mirror; mirror=$(sdbox_mirror)
  # shellcheck disable=SC2016
  mmdebstrap --quiet --mode=root --variant=minbase \
    --include="systemd,systemd-sysv,dbus,procps,libbpf1,libnss-systemd${3:+,$3}" \
    --aptopt='Apt::Install-Recommends "false"' \
    --customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; : > "$1/etc/machine-id"; : > "$1/etc/apt/sources.list"' \
    "$1" "$2" "$mirror"
}

_sdbox_cgroots() { # the writable hierarchies systemd uses, unified or hybrid
  if [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; then echo /sys/fs/cgroup
  else echo /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; fi
}

sdbox_up() { # NAME ROOTDIR [nspawn options]
  local name=$1 root=$2 h; shift 2
  (
    for h in $(_sdbox_cgroots); do mkdir -p "$h/sdbox-$name"; echo $BASHPID > "$h/sdbox-$name/cgroup.procs"; done
    export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_NSPAWN_LOCK=0
    exec setsid systemd-nspawn --quiet --register=no --keep-unit --boot \
      --directory="$root" --machine="$name" --hostname="$name" \
      --resolv-conf=off --timezone=off --link-journal=no --console=pipe \
      --capability=CAP_BPF,CAP_NET_ADMIN,CAP_PERFMON --system-call-filter=bpf \
      "$@" </dev/null >"$SDBOX_STATE/$name.console" 2>&1
  ) &
  echo $! > "$SDBOX_STATE/$name.pid"
  local s
  for _ in $(seq 300); do
    kill -0 "$(cat "$SDBOX_STATE/$name.pid")" 2>/dev/null || break
    s=$(sdbox "$name" timeout 60 systemctl is-system-running --wait 2>/dev/null) || true
    case $s in running) return 0;; degraded|maintenance) break;; esac
    sleep 0.1
  done
  echo "sdbox $name: not running (${s:-no answer})" >&2
  sdbox "$name" systemctl --failed --no-legend >&2 || true
  tail -30 "$SDBOX_STATE/$name.console" >&2
  return 1
}

sdbox() { # NAME cmd... : runs it inside, as root, with its stdin/stdout/exit status
  local name=$1 leader; shift
  leader=$(pgrep -P "$(cat "$SDBOX_STATE/$name.pid")" | head -1)
  [ -n "$leader" ] || return 125
  nsenter --target "$leader" --all /usr/bin/env --chdir=/ -i \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LANG=C.UTF-8 TERM=dumb DEBIAN_FRONTEND=noninteractive SYSTEMD_PAGER= SYSTEMD_COLORS=0 "$@"
}

sdbox_down() { # NAME : orderly shutdown, then make sure nothing is left
  local name=$1 pid h
  pid=$(cat "$SDBOX_STATE/$name.pid" 2>/dev/null) || return 0
  kill -TERM "$pid" 2>/dev/null
  for _ in $(seq 200); do kill -0 "$pid" 2>/dev/null || break; sleep 0.05; done
  for h in $(_sdbox_cgroots); do [ -e "$h/sdbox-$name/cgroup.kill" ] && echo 1 > "$h/sdbox-$name/cgroup.kill"; done
  wait "$pid" 2>/dev/null
  sleep 0.1
  for h in $(_sdbox_cgroots); do find "$h/sdbox-$name" -depth -type d -exec rmdir {} \; 2>/dev/null; done
  rm -f "$SDBOX_STATE/$name.pid"
}

sdbox_down_all() { local f; for f in "$SDBOX_STATE"/*.pid; do [ -e "$f" ] && sdbox_down "$(basename "$f" .pid)"; done; }
