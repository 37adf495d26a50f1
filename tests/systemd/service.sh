# shellcheck shell=bash
# The service as it was installed, by whichever package; sourced by `packages`.
# shellcheck disable=SC2154  # here, box: of packages

service_tests() {  # what is tested, for the tests' names
  try "$1: first connection starts it" service_activated
  try "$1: who may read what" service_permissions
  try "$1: exposure" service_exposure
  try "$1: reload in force, or refused with the reason" service_reload
  try "$1: secrets from credentials" service_credentials
  try "$1: check judges as the service would" service_check
  try "$1: journal and catalog" service_journal
  try "$1: a wrong configuration does not start, once" service_wrong_configuration
  try "$1: more sockets, and no IPv6" service_sockets
  try "$1: comes back after a crash" service_crash
  try "$1: comes back when its core hangs" service_hang
}

service_activated() {
  in_box systemctl stop databus.service
  is inactive in_box systemctl is-active databus.service
  answers ::1
  is active in_box systemctl is-active databus.service
  is 0 of_service NRestarts
}

service_permissions() {
  is "root databus 750" in_box stat -c '%U %G %a' /etc/databus
  is "root databus 750" in_box stat -c '%U %G %a' /etc/databus/conf.d
  is "root root 700" in_box stat -c '%U %G %a' /etc/databus/credentials
  local file
  for file in databus.toml apps.toml; do
    is "root databus 640" in_box stat -c '%U %G %a' /etc/databus/$file
    in_box setpriv --reuid=databus --regid=databus --clear-groups cat /etc/databus/$file
    fails in_box setpriv --reuid=nobody --regid=nogroup --clear-groups cat /etc/databus/$file
    fails in_box setpriv --reuid=databus --regid=databus --clear-groups sh -c "echo >> /etc/databus/$file"
  done
  fails in_box setpriv --reuid=databus --regid=databus --clear-groups ls /etc/databus/credentials
  has "drwxr-x--- root databus databus" in_box namei -l /etc/databus/databus.toml
  is "" in_box find /etc/databus -perm /o+w
}

service_exposure() {
  local said; said=$(in_box systemd-analyze security --no-pager --threshold=10 databus.service)
  echo "figure: ${said##*→ }; $(in_box awk '/^VmRSS/ {print $2, $3}' "/proc/$(of_service MainPID)/status") of memory when idle"
  in_box systemd-analyze verify --man=no databus.service databus.socket
  is "0 infinity" echo "$(of_service LimitCORE) $(of_service MemoryMax)"
  is "65536 8192" echo "$(of_service LimitNOFILE) $(of_service TasksMax)"
}

service_reload() {
  local pid begin=$EPOCHSECONDS; pid=$(of_service MainPID)
  write_config '[log]' 'level = "debug"'
  in_box systemctl reload databus
  has reloaded journal
  write_config '[limits]' 'max_conections = 5'
  fails in_box systemctl reload databus
  has "unknown key" journal -p err
  has "max_connections" journal -p err
  [ "$(journal --since "@$begin" | grep -c 'unknown key')" = 1 ]
  fails in_box databus reload
  has "reload refused, nothing changed: /etc/databus/conf.d/test.toml:2: limits.max_conections" in_box databus reload
  # The daemon judges for itself, too, and goes on.
  in_box systemctl kill --kill-whom=main -s HUP databus
  eventually has "last reload refused: /etc/databus/conf.d/test.toml:2" of_service StatusText
  write_config
  is reloaded in_box databus reload
  has "0 clients; store ok" of_service StatusText
  fails has refused of_service StatusText
  is "$pid" of_service MainPID
  # Not everybody may.
  has "be root, or its user" in_box setpriv --reuid=nobody --regid=nogroup --clear-groups databus reload
}

service_credentials() {
  echo s3cret-1 | in_box sh -c 'umask 077 && cat > /etc/databus/credentials/cluster1-password'
  write_config '[clusters.cluster1]' 'brokers = ["127.0.0.1:9"]' \
    'kafka = { "security.protocol" = "sasl_plaintext", "sasl.mechanism" = "PLAIN", "sasl.username" = "u" }' \
    'kafka_files = { "sasl.password" = "cluster1-password" }'
  fails in_box systemctl reload databus
  has "systemd loaded no credential \"cluster1-password\"" journal -p err
  in_box systemctl restart databus
  answers
  has reloaded in_box databus reload
  fails has cluster1-password in_box databus reload
  echo s3cret-2 | in_box sh -c 'cat > /etc/databus/credentials/cluster1-password'
  has "not in force (cluster1-password): systemctl restart databus" in_box databus reload
  fails has s3cret journal
  eventually has "cluster1 unreachable for" of_service StatusText
  in_box rm /etc/databus/credentials/cluster1-password
  write_config
  in_box systemctl restart databus
}

service_check() {
  in_box systemctl reset-failed databus.service  # its count of starts
  # What the service's user may not read, root is told.
  write_config
  local file
  for file in conf.d/mine.toml apps.toml; do
    printf '# nothing\n' | in_box install -m 600 /dev/stdin /etc/databus/$file
    fails in_box databus check
    has "/etc/databus/$file: " in_box databus check
    has "chgrp databus /etc/databus/$file && chmod 0640 /etc/databus/$file" in_box databus check
    is 77 exit_code databus check
    in_box sh -c "chgrp databus /etc/databus/$file && chmod 0640 /etc/databus/$file"
    has "judged as      databus, as the service runs" in_box databus check
  done
  in_box rm /etc/databus/conf.d/mine.toml
  # Secrets are those of the next start, whether the service runs or not.
  write_config '[store]' 'kind = "redis"' 'url = "redis://127.0.0.1:9/0"' 'password_file = "new-password"'
  is 78 exit_code databus check
  echo s3cret-3 | in_box install -m 600 /dev/stdin /etc/databus/credentials/new-password
  is 0 exit_code databus check
  # A check starts nothing, and leaves systemd's sockets alone.
  write_config
  in_box systemctl stop databus.service
  is 0 exit_code databus check --connect
  has "listen         127.0.0.1:6205 (databus.socket), [::1]:6205 (databus.socket)" in_box databus check --connect
  is inactive in_box systemctl is-active databus.service
  # Addresses of a service are its sockets'.
  write_config '[listen]' 'resp = ["127.0.0.1:6299"]'
  local ignored="[listen] resp (127.0.0.1:6299) does not count: systemd holds 127.0.0.1:6205, [::1]:6205 for the service"
  has "$ignored" in_box databus check
  in_box systemctl start databus.service
  has "$ignored" journal -p warning -n 5
  write_config '[listen]' 'resp = ["127.0.0.1:6298"]'
  has "note: [listen] resp (127.0.0.1:6298) does not count" in_box databus reload
  write_config
  # Without them it listens by itself, and says so.
  in_box systemctl reset-failed databus.service
  in_box systemctl stop databus.socket databus.service
  in_box mkdir -p /run/systemd/system/databus.socket.d
  printf '[Socket]\nListenStream=\nListenStream=10.0.0.300:6205\n' | in_box tee /run/systemd/system/databus.socket.d/test.conf
  in_box systemctl daemon-reload
  in_box systemctl start databus.service
  has "databus.socket passed no socket" of_service StatusText
  has "systemd passed no socket" journal -p warning -n 5
  in_box rm -r /run/systemd/system/databus.socket.d /etc/databus/credentials/new-password
  in_box systemctl daemon-reload
  in_box systemctl stop databus.service
  in_box systemctl reset-failed databus.service
  in_box systemctl start databus.socket databus.service
  fails has "passed no socket" of_service StatusText
}

exit_code() { local code=0; in_box "$@" >&2 || code=$?; echo "$code"; }

service_journal() {
  local begin=$EPOCHSECONDS id
  # shellcheck disable=SC2016  # it is the box's bash that expands
  in_box timeout 60 bash -c 'exec 3<>/dev/tcp/127.0.0.1/6205
    for n in {1..200}; do printf "AUTH key1:s3cret-2@g1/topic=t1&role=pub\r\n" >&3; IFS= read -r line <&3; done; echo "$line"' | grep -q ^-WRONGPASS &
  local attack=$!
  eventually has "AUTH refused" journal --since "@$begin"
  is 1 eval 'in_box journalctl --no-pager -o json DATABUS_EVENT=auth-refused DATABUS_APP=key1 DATABUS_GROUP=g1 DATABUS_TOPIC=t1 PRIORITY=4 | wc -l'
  has '"DATABUS_PEER" : "127.0.0.1:' in_box journalctl --no-pager -o json-pretty DATABUS_EVENT=auth-refused
  id=$(in_box journalctl --no-pager -o cat --output-fields=MESSAGE_ID DATABUS_EVENT=auth-refused | tail -1)
  has "Subject: A client's AUTH was refused" in_box journalctl --no-pager -x "MESSAGE_ID=$id"
  has "The client does" in_box journalctl --no-pager -x "MESSAGE_ID=$id"
  # What was not told one by one is told as a number.
  kill $attack 2>/dev/null || true
  in_box systemctl restart databus
  has "AUTH refused: and " journal --since "@$begin"
  [ "$(journal --since "@$begin" | grep -c 'AUTH refused')" = 2 ]
  is 2 eval 'in_box journalctl --no-pager -o json DATABUS_EVENT=auth-refused DATABUS_APP=key1 DATABUS_GROUP=g1 DATABUS_TOPIC=t1 | wc -l'
  fails has s3cret journal
  # A configuration error is an error with an ID, too; the daemon's start has its place and its version.
  is 3 eval 'in_box journalctl --no-pager -o cat --output-fields=PRIORITY DATABUS_EVENT=reload-refused | tail -1'
  has "Subject: databus is ready" in_box journalctl --no-pager -x DATABUS_EVENT=ready
  has "listening address=127.0.0.1:6205" journal --since "@$begin"
}

service_wrong_configuration() {
  local begin=$EPOCHSECONDS
  in_box systemctl reset-failed databus.service  # its count of starts
  write_config '[limits]' 'max_conections = 5'
  fails in_box systemctl restart databus
  is "78 exit-code failed" echo "$(of_service ExecMainStatus) $(of_service Result) $(of_service ActiveState)"
  is 0 of_service NRestarts
  has "unknown key" journal -p err --since "@$begin"
  has "Subject: databus could not start" journal -x --since "@$begin"
  # A client's connection tries again; that has an end, which is forgotten after StartLimitIntervalSec.
  fails answers
  sleep 5
  is failed in_box systemctl is-failed databus.service
  write_config
  in_box systemctl restart databus
  answers
  is active in_box systemctl is-active databus.socket
}

service_sockets() {
  # Another unit's socket is the daemon's, too.
  printf '[Socket]\nService=databus.service\nFileDescriptorName=resp\nListenStream=/run/databus/databus.sock\nSocketGroup=databus\nSocketMode=0660\n' |
    in_box tee /run/systemd/system/databus-unix.socket
  in_box systemctl daemon-reload
  in_box systemctl stop databus.service
  in_box systemctl start databus-unix.socket databus.service
  has "listening address=unix:/run/databus/databus.sock" journal -n 20
  is "root databus 660" in_box stat -c '%U %G %a' /run/databus/databus.sock
  answers
  in_box systemctl restart databus.service
  in_box test -S /run/databus/databus.sock
  in_box systemctl stop databus.service databus-unix.socket
  in_box rm /run/systemd/system/databus-unix.socket
  # [::1] is no reason not to listen where there is none.
  in_box systemctl stop databus.socket
  in_box sh -c 'echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6'
  in_box systemctl daemon-reload
  in_box systemctl start databus.socket databus.service
  answers
  in_box systemctl stop databus.socket databus.service
  in_box sh -c 'echo 0 > /proc/sys/net/ipv6/conf/all/disable_ipv6'
  in_box systemctl reset-failed databus.service databus.socket
  in_box systemctl start databus.socket databus.service
  answers ::1
}

service_crash() {
  local pid; pid=$(of_service MainPID)
  [ "$pid" -gt 1 ]
  in_box systemctl reset-failed databus.service  # its count of starts
  in_box kill -ABRT "$pid"
  answers
  fails is "$pid" of_service MainPID
  is 1 of_service NRestarts
}

service_hang() {
  in_box mkdir -p /run/systemd/system/databus.service.d
  printf '[Service]\nWatchdogSec=8s\n' | in_box tee /run/systemd/system/databus.service.d/test.conf
  in_box systemctl daemon-reload
  local which
  for which in main workers; do
    in_box systemctl restart databus
    hangs $which
  done
  in_box rm -r /run/systemd/system/databus.service.d
  in_box systemctl daemon-reload
  in_box systemctl restart databus
  # It has a watchdog as it is installed, and it is fed.
  is 30s of_service WatchdogUSec
}

hangs() {  # main|workers
  local pid leader begin=$EPOCHSECONDS
  pid=$(of_service MainPID)
  leader=$(pgrep -P "$(cat "$SDBOX_STATE/$box.pid")" | head -1)
  "$here/hang" "$leader" "$pid" "$1" & local hang=$!
  eventually restarted "$pid"
  wait $hang || true
  has "Watchdog timeout" journal --since "@$begin"
  answers
}
restarted() { [ "$(of_service ActiveState)" = active ] && [ "$(of_service MainPID)" != "$1" ]; }

journal() { in_box journalctl --no-pager -u databus.service "$@"; }

write_config() { printf '%s\n' "$@" | in_box tee /etc/databus/conf.d/test.toml >/dev/null; }  # LINE...
