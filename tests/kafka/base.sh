# shellcheck shell=bash
# Sourced by who starts a Kafka of a run's own: ports that no other run has.

find_base() {  # FIRST PORT...: kafka_base is a multiple of 300 from FIRST on that no other run has, with these ports behind it free
  local first=$1 port; shift
  for kafka_base in $(seq "$first" 300 28000); do
    exec {base_lock}>"/tmp/databus-test-$kafka_base.lock"
    flock -n "$base_lock" || continue
    for port in "$@"; do
      ! (exec 3<>"/dev/tcp/127.0.0.1/$((kafka_base + port))") 2>/dev/null || continue 2
    done
    return
  done
  echo "no free ports for Kafka" >&2; return 1
}
