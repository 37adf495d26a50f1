# shellcheck shell=bash
# A booted box and what tests ask of it; sourced by `packages`. `box` is the box that commands go to.
# shellcheck disable=SC2154  # here, work, roots, new, old: of packages

box_start() {  # NAME SUITE [nspawn options]: from a fresh root
  box=$1; local suite=$2; shift 2
  [[ $suite == rpm-* ]] || box_root "$suite" || return
  mkdir "$work/roots/$box" && tar -C "$work/roots/$box" -xpf "$roots/$suite.tar" || return
  if [ -d "$work/seed" ]; then  # files for this box
    cp -a "$work/seed/." "$work/roots/$box/" && rm -r "$work/seed" || return
  fi
  box_options=(--bind-ro="$new":/srv/new --bind-ro="$old":/srv/old "$@")
  box_boot
}
box_reboot() { sdbox_down "$box"; box_boot; }
box_boot() { sdbox_up "$box" "$work/roots/$box" "${box_options[@]}"; }
box_end() { sdbox_down "$box"; rm -rf "${work:?}/roots/$box"; }

box_root() {  # SUITE [PACKAGES]: makes the tar it is unpacked from, the first time; with packages, it is rpm-SUITE.tar
  local name=${2:+rpm-}$1 more=libssl3,zlib1g
  [ "$1" != trixie ] || more=libssl3t64,zlib1g
  [ ! -e "$roots/$name.tar" ] || return 0
  echo "packages: making a root of $1 (a minute)" >&2
  mkdir -p "$roots" && sdbox_root "$1" "$roots/new-$name.tar" "$more,man-db,bash-completion${2:+,$2}" && mv "$roots/new-$name.tar" "$roots/$name.tar"
}

in_box() { sdbox "$box" "$@"; }

eventually() {  # COMMAND...: until it succeeds, 40 s at most
  local end=$((SECONDS + 40))
  until "$@" >/dev/null; do
    [ $SECONDS -lt $end ] || { echo "not within 40 s: $*"; "$@"; return 1; }
    sleep 0.1
  done
}

is() {  # WANTED COMMAND...: the command's output
  local wanted=$1 got; shift
  got=$("$@") || true
  [ "$got" = "$wanted" ] || { printf '%s\n  gave   %s\n  wanted %s\n' "$*" "$got" "$wanted"; return 1; }
}

has() {  # PART COMMAND...: is in the command's output
  local part=$1 got; shift
  got=$("$@" 2>&1) || true
  [[ $got == *"$part"* ]] || { printf '%s\n  gave   %s\n  wanted ...%s...\n' "$*" "$got" "$part"; return 1; }
}

fails() { ! "$@" || { echo "succeeded: $*"; return 1; }; }

of_service() { in_box systemctl show -P "$1" databus.service; }  # PROPERTY

answers() {  # [ADDRESS]: whether a client is answered
  # shellcheck disable=SC2016  # it is the box's bash that expands
  is +PONG in_box timeout 30 bash -c 'exec 3<>"/dev/tcp/$0/6205" && printf "PING\r\nQUIT\r\n" >&3 && IFS= read -r line <&3 && echo "${line%?}"' "${1:-127.0.0.1}"
}
