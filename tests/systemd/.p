#!/usr/bin/env bash
# Installs the packages in a booted systemd and runs the service there, as operators do. Each line says how one test went.
#
#   tests/systemd/packages NEW OLD [SUITE ...]    NEW and OLD are folders with packages, OLD's version is the lower one
#
# SUITE is bookworm (systemd 252) or trixie (257); both where none is given. Needs root. Roots to boot from are made once and kept in
# ~/.cache/databus. What a box wrote is shown where a test failed.
set -uo pipefail
new=$(realpath "$1") old=$(realpath "$2"); shift 2
export new old
suites=("$@"); [ $# -gt 0 ] || suites=(bookworm trixie)
here=$(cd "$(dirname "$0")" && pwd)
export roots=${XDG_CACHE_HOME:-$HOME/.cache}/databus/systemd
work=$(mktemp -d); export SDBOX_STATE=$work/state
# shellcheck source=tests/systemd/sdbox.sh
. "$here/sdbox.sh"
# shellcheck source=tests/systemd/box.sh
. "$here/box.sh"
# shellcheck source=tests/systemd/deb.sh
. "$here/deb.sh"
# shellcheck source=tests/systemd/rpm.sh
. "$here/rpm.sh"
# shellcheck source=tests/systemd/service.sh
. "$here/service.sh"
# shellcheck source=tests/systemd/upgrade.sh
. "$here/upgrade.sh"

failed=0
try() {  # NAME COMMAND...: one test, in a shell of its own that ends at the first thing that fails
  local name=$1; shift
  ( set -eE; trap 'echo "line $LINENO: $BASH_COMMAND"' ERR; "$@" ) >"$work/output" 2>&1 </dev/null
  tell $? "$name"
}
prepare() {  # NAME COMMAND...: the same in this shell, whose child a box is
  local name=$1; shift
  "$@" >"$work/output" 2>&1 </dev/null
  tell $? "$name"
}
tell() {  # STATUS NAME
  if [ "$1" = 0 ]; then
    echo "ok      $2 ($((SECONDS - begin)) s)"
    sed -n 's/^figure: /        /p' "$work/output"
  else
    failed=$((failed + 1)); cat "$work/output"
    in_box journalctl --no-pager -n 30 -u databus.service 2>/dev/null
    echo "FAILED  $2"
  fi
  begin=$SECONDS
  return "$1"
}
begin=$SECONDS

clean_up() {
  trap - EXIT INT TERM
  sdbox_down_all
  umount "$work/roots" 2>/dev/null
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mkdir -p "$work/roots" && mount -t tmpfs -o size=4g databus-test "$work/roots" || exit 1
for suite in "${suites[@]}"; do


  rpm_tests "$suite"
  upgrade_tests rpm "$suite"
done
[ $failed = 0 ]
