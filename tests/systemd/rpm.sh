# shellcheck shell=bash
# The rpm: installed by dnf as on Fedora and EL, upgraded, removed; sourced by `packages`. trixie stands for a recent Fedora (systemd 257, rpm 4.20),
# bookworm for EL 9 (252, 4.18): see rpm-compat.sh.
# shellcheck disable=SC2154  # here, box, roots, work: of packages

rpm_tests() {  # SUITE
  local suite=$1 name="rpm on $1"
  prepare "$name: boots" rpm_box "$suite" --private-network || return
  try "$name: systemd's triggers for packages" rpm_compat
  try "$name: installs, and starts when it is told to" rpm_installs
  service_tests "$name"
  prepare "$name: boots again" box_reboot || return
  try "$name: starts at boot" rpm_starts_at_boot
  try "$name: is removed, and its changed configuration stays" rpm_removed
  try "$name: comes back with its configuration" rpm_comes_back
  box_end
}

rpm_box() {  # SUITE [nspawn options]
  rpm_root "$1" || return
  mkdir -p "$work/seed/opt" && cp -a "$roots/compat-$1" "$work/seed/opt/compat" || return
  local suite=$1; shift
  box_start "rpm-$suite" "rpm-$suite" "$@"
}

rpm_root() {  # SUITE: a root with dnf, and systemd's files for packages of the same version, once
  local suite=$1 d mirror apt
  box_root "$suite" dnf,rpm,createrepo-c || return
  [ ! -e "$roots/compat-$suite/triggers.systemd.in" ] || return 0
  d=$(mktemp -d -p "$roots"); mkdir -p "$d/lists/partial" "$d/cache/archives/partial"
  mirror=$(sdbox_mirror)
  echo "deb-src $mirror $suite main" > "$d/sources.list"
  apt=(apt-get -qq -o Dir::Etc::SourceList="$d/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$d/lists" -o Dir::Cache="$d/cache" -o APT::Sandbox::User=root)
  "${apt[@]}" update && (cd "$d" && "${apt[@]}" source --download-only systemd) || return
  mkdir "$d/compat" && tar -C "$d/compat" --strip-components=3 --wildcards -xf "$d"/systemd_*.orig.tar.* '*/src/rpm' || return
  rm -rf "$roots/compat-$suite" && mv "$d/compat" "$roots/compat-$suite" && rm -rf "$d"
}

rpm_compat() {
  in_box bash -s < "$here/rpm-compat.sh"
  in_box dnf -y --releasever=1 install systemd glibc
}

rpm_install() { in_box bash -c "dnf -y --releasever=1 install /srv/$1/databus-*.rpm"; }  # new|old

rpm_installs() {
  rpm_install new
  # A distribution's presets say what starts by itself; these say nothing does.
  is disabled in_box systemctl is-enabled databus.socket
  is inactive in_box systemctl is-active databus.service
  in_box systemctl enable --now databus.socket databus.service
  answers
  eventually has "store ok" of_service StatusText
  is "" in_box rpm -V databus
}

rpm_starts_at_boot() {
  is active in_box systemctl is-active databus.service
  answers
}

rpm_removed() {
  in_box sed -i 's/^#level = "info"/level = "debug"/' /etc/databus/databus.toml
  in_box dnf -y --releasever=1 remove databus
  fails answers
  fails in_box test -e /usr/bin/databus
  has 'level = "debug"' in_box cat /etc/databus/databus.toml.rpmsave
  is "" in_box systemctl --failed --no-legend
}

rpm_comes_back() {
  in_box mv /etc/databus/databus.toml.rpmsave /etc/databus/databus.toml
  rpm_install new
  in_box systemctl enable --now databus.socket databus.service
  answers
  has 'level = "debug"' in_box cat /etc/databus/databus.toml
  is "root databus 750" in_box stat -c '%U %G %a' /etc/databus
}
