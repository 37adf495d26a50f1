# shellcheck shell=bash
# Upgrade, restart and reload under load, with a real Kafka; sourced by `packages`. The box shares this machine's network.
# shellcheck disable=SC2154  # here, work: of packages

upgrade_tests() {  # deb|rpm SUITE: the topic databus-upgrade has to exist
  local kind=$1 suite=$2 name=$2
  [ "$kind" = deb ] || name="rpm on $suite"
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  mkdir -p "$work/seed/etc/systemd/system/databus.socket.d"
  printf '[Socket]\nListenStream=\nListenStream=127.0.0.1:%s\n' "$port" > "$work/seed/etc/systemd/system/databus.socket.d/port.conf"
  echo '127.0.0.1 localhost' > "$work/seed/etc/hosts"
  prepare "$name: boots for an upgrade" "${kind}_box" "$suite" || return
  [ "$kind" = deb ] || try "$name: systemd's triggers for packages" rpm_compat
  try "$name: the older package with a cluster" upgrade_before "${kind}_install"
  try "$name: upgrade under load" upgrade_under_load "${kind}_install"
  try "$name: restart under load" loaded restart in_box systemctl restart databus
  try "$name: reload under load" loaded reload in_box systemctl reload databus
  secure_tests "$name"
  box_end
}

upgrade_before() {  # INSTALL
  "$1" old
  printf '[clusters.cluster1]\nbrokers = ["%s"]\n' "${DATABUS_TEST_KAFKA/127.0.0.1/localhost}" | in_box tee /etc/databus/conf.d/cluster.toml
  local what
  {
    printf '[[app]]\nkey = "k"\nsecret = "s"\ncluster = "cluster1"\n'
    for what in upgrade restart reload; do printf '[[app.grant]]\ngroup = "%s"\ntopic = "databus-upgrade"\noperation = "pubsub"\n' "$what-$box"; done
  } | in_box tee -a /etc/databus/apps.toml
  in_box systemctl enable --now databus.socket databus.service
  in_box systemctl reload databus
  has "root databus 640" in_box stat -c '%U %G %a' /etc/databus/apps.toml
  in_box cat /etc/databus/apps.toml > "$work/apps.toml"
}

upgrade_under_load() {  # INSTALL
  local pid socket; pid=$(of_service MainPID) socket=$(in_box systemctl show -P ActiveEnterTimestampMonotonic databus.socket)
  loaded upgrade "$1" new
  fails is "$pid" of_service MainPID
  is "$socket" in_box systemctl show -P ActiveEnterTimestampMonotonic databus.socket
  # What the administrator wrote is still there, without a question.
  in_box cat /etc/databus/apps.toml | diff - "$work/apps.toml"
  has 'version=0.1' in_box journalctl --no-pager -u databus.service DATABUS_EVENT=ready
}

loaded() {  # GROUP COMMAND...: the command while clients publish; a function of ours is a command, too
  local group=$1; shift
  export -f in_box sdbox deb_install rpm_install
  export box SDBOX_STATE
  # shellcheck disable=SC2016  # the inner bash expands
  "$here/load" "$port" "k:s@$group-$box/topic=databus-upgrade" bash -c '"$@"' run "$@"
}
