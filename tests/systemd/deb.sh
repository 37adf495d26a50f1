# shellcheck shell=bash
# shellcheck disable=SC2154  # here: of packages
# The Debian package: installed, removed, purged; sourced by `packages`.

deb_tests() {  # SUITE
  local suite=$1
  prepare "$suite: boots" deb_box "$suite" --private-network || return
  try "$suite: installs and runs" deb_installs
  service_tests "$suite"
  prepare "$suite: boots again" box_reboot || return
  try "$suite: starts at boot" deb_starts_at_boot
  try "$suite: is removed, and its configuration stays" deb_removed
  try "$suite: comes back with its configuration" deb_comes_back
  try "$suite: is purged" deb_purged
  try "$suite: what the README tells operators" deb_readme
  box_end
}

deb_box() { box_start "$1" "$@"; }  # SUITE [nspawn options]

deb_install() { in_box bash -c "apt-get install -y /srv/$1/databus_*.deb"; }  # new|old

deb_installs() {
  deb_install new
  is active in_box systemctl is-active databus.socket
  is active in_box systemctl is-active databus.service
  answers 127.0.0.1
  answers ::1
  eventually has "store ok" of_service StatusText
}

deb_starts_at_boot() {
  is active in_box systemctl is-active databus.service
  answers
}

deb_readme() {
  export -f in_box sdbox; export box SDBOX_STATE
  # shellcheck disable=SC2016  # the inner bash expands
  "$here/operator" "$here/../../README.md" bash -c 'in_box bash -c "cd /srv/new && $0"'
  deb_left_nothing
}

deb_removed() {
  in_box sed -i 's/^#level = "info"/level = "debug"/' /etc/databus/databus.toml
  in_box apt-get remove -y databus
  is inactive in_box systemctl is-active databus.socket
  fails answers
  fails in_box test -e /usr/bin/databus
  has 'level = "debug"' in_box cat /etc/databus/databus.toml
  is "" in_box systemctl --failed --no-legend
}

deb_comes_back() {
  deb_install new
  answers
  has 'level = "debug"' in_box cat /etc/databus/databus.toml
}

deb_purged() {
  in_box apt-get purge -y databus
  deb_left_nothing
}
deb_left_nothing() {
  is "" in_box find / -xdev -not -path '/var/*' -not -path '/usr/share/doc/*' -name '*databus*'
  fails in_box getent passwd databus
  fails in_box getent group databus
  is "" in_box systemctl --failed --no-legend
}
