#!/usr/bin/env bash
# A real Apache Kafka (KRaft) on 127.0.0.1, from Maven Central: 1 or 3 brokers, each broker and controller in one JVM.
# Needs a JRE 17 or newer, and Maven the first time. Source it, or run it as a command:
#
#   kafka.sh up [N]                a fresh cluster of N brokers (1); data of an earlier one is gone
#   kafka.sh topic NAME [PARTS]    topics are not made by themselves
#   kafka.sh kill I | start I      a crash and a return of broker I (stop I: as an operator does it)
#   kafka.sh pause I | resume I    a broker that hangs with its connections open
#   kafka.sh await-end I           until a stopped broker has ended
#   kafka.sh revive                every broker runs and answers, whatever was done to it before
#   kafka.sh bootstrap [secure]    the brokers' addresses
#   kafka.sh tool CLASS ARGS...    Kafka's own tools, e.g. org.apache.kafka.tools.TopicCommand
#   kafka.sh down                  everything ended and removed, but the jars
#
#   KAFKA_JARS   where the jars are kept                  (default ${XDG_CACHE_HOME:-$HOME/.cache}/databus/kafka)
#   KAFKA_HOME   where data, logs and pids live           (default the same)
#   KAFKA_BASE   first port; broker i has KAFKA_BASE+i    (default 19090: 19091, 19092, 19093; controllers 100 higher)
#   KAFKA_HEAP   heap of each broker                      (default 512m)
#   KAFKA_SECURE 1: beside it a SASL_SSL listener (SCRAM) on KAFKA_BASE+200+i, user app, password app-secret, certificates in KAFKA_HOME/tls
#   KAFKA_PROPS  more server.properties lines, \n between (e.g. $'message.max.bytes=2000000\n'); the last line of a name wins
kafka_here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
KAFKA_JARS=${KAFKA_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/databus/kafka}
KAFKA_HOME=${KAFKA_HOME:-$KAFKA_JARS}
KAFKA_BASE=${KAFKA_BASE:-19090}
KAFKA_HEAP=${KAFKA_HEAP:-512m}
kafka_version=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' "$kafka_here/pom.xml")

kafka_fetch() {  # the jars, once
  local libs=$KAFKA_JARS/libs-$kafka_version
  [ ! -e "$libs/.done" ] || return 0
  mkdir -p "$libs"
  mvn -q -B -f "$kafka_here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$libs" && touch "$libs/.done"
}
kafka_java() {  # HEAP CLASS ARGS...
  local heap=$1; shift
  ${kafka_exec:-} java -Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC "-XX:TieredStopAtLevel=${KAFKA_JIT:-4}" -cp "$KAFKA_JARS/libs-$kafka_version/*:$KAFKA_HOME" "$@"
}
kafka_cert() {  # NAME [SAN]: tls/NAME.key, NAME.crt and NAME.pem (both), signed by tls/ca.pem, which is made once; needs openssl
  local d=$KAFKA_HOME/tls n=$1 san=${2:-DNS:localhost,IP:127.0.0.1} c new=(openssl req -batch -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
  mkdir -p "$d"
  for c in ca other-ca; do  # other-ca signs nothing: for a client that trusts the wrong one
    [ -e "$d/$c.pem" ] || "${new[@]}" -x509 -days 3650 -subj "/CN=databus tests $c" -keyout "$d/$c.key" -out "$d/$c.pem" 2>/dev/null || return
  done
  "${new[@]}" -subj "/CN=$n" -keyout "$d/$n.key" 2>/dev/null \
    | openssl x509 -req -days 825 -CA "$d/ca.pem" -CAkey "$d/ca.key" -CAcreateserial -extfile <(echo "subjectAltName=$san") -out "$d/$n.crt" 2>/dev/null || return
  cat "$d/$n.key" "$d/$n.crt" > "$d/$n.pem"
}
kafka_conf() {  # I N: server.properties of broker I of N
  local i=$1 n=$2 voters="" k secure=""
  for k in $(seq "$n"); do voters+="${voters:+,}$k@127.0.0.1:$((KAFKA_BASE+100+k))"; done
  [ -z "${KAFKA_SECURE:-}" ] || secure=,SECURE://127.0.0.1:$((KAFKA_BASE+200+i))
  cat <<EOT
process.roles=broker,controller
node.id=$i
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:$((KAFKA_BASE+i)),CONTROLLER://127.0.0.1:$((KAFKA_BASE+100+i))$secure
advertised.listeners=PLAINTEXT://127.0.0.1:$((KAFKA_BASE+i))$secure
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL
log.dirs=$KAFKA_HOME/data-$i
num.partitions=3
default.replication.factor=$n
min.insync.replicas=$(( n > 1 ? 2 : 1 ))
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$n
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$n
transaction.state.log.min.isr=$(( n > 1 ? 2 : 1 ))
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=$n
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.session.timeout.ms=6000
${secure:+sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.keystore.location=$KAFKA_HOME/tls/broker.pem
ssl.truststore.type=PEM
ssl.truststore.location=$KAFKA_HOME/tls/ca.pem}
$(printf '%b' "${KAFKA_PROPS:-}")
EOT
}
kafka_start() {  # I
  cat > "$KAFKA_HOME/log4j2.properties" <<EOT
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %c{1} %m%n
rootLogger.level=WARN
rootLogger.appenderRef.out.ref=out
EOT
  kafka_exec='exec' kafka_java "$KAFKA_HEAP" -Dlog4j2.configurationFile="$KAFKA_HOME/log4j2.properties" kafka.Kafka "$KAFKA_HOME/server-$1.properties" \
    </dev/null >>"$KAFKA_HOME/log-$1" 2>&1 &
  echo $! > "$KAFKA_HOME/pid-$1"; disown
}
kafka_wait() {  # until every started broker answers
  local f i
  for f in "$KAFKA_HOME"/pid-*; do
    i=${f##*-}
    for _ in $(seq 240); do
      kill -0 "$(cat "$f")" 2>/dev/null || { echo "kafka: broker $i ended, see $KAFKA_HOME/log-$i" >&2; tail -5 "$KAFKA_HOME/log-$i" >&2; return 1; }
      (exec 3<>"/dev/tcp/127.0.0.1/$((KAFKA_BASE+i))") 2>/dev/null && continue 2
      sleep 0.25
    done
    echo "kafka: broker $i does not answer, see $KAFKA_HOME/log-$i" >&2; return 1
  done
}
kafka_up() {  # [N=1], a fresh cluster
  local n=${1:-1} id=q1Sh-9_ISia_zwGINzRvyQ i scram=()
  mkdir -p "$KAFKA_HOME" && kafka_fetch && kafka_down || return
  if [ -n "${KAFKA_SECURE:-}" ]; then
    [ -e "$KAFKA_HOME/tls/broker.pem" ] || kafka_cert broker || return
    for i in 512 256; do scram+=(--add-scram "SCRAM-SHA-$i=[name=app,password=app-secret]"); done
  fi
  for i in $(seq "$n"); do
    kafka_conf "$i" "$n" > "$KAFKA_HOME/server-$i.properties"
    kafka_java 64m kafka.tools.StorageTool format -t $id -c "$KAFKA_HOME/server-$i.properties" "${scram[@]}" >"$KAFKA_HOME/log-$i" 2>&1 \
      || { tail -5 "$KAFKA_HOME/log-$i" >&2; return 1; }
  done
  for i in $(seq "$n"); do kafka_start "$i"; done
  kafka_wait
}
kafka_kill()   { kill -9 "$(cat "$KAFKA_HOME/pid-$1")"; }        # I: as a crash
kafka_stop()   { kill "$(cat "$KAFKA_HOME/pid-$1")"; }           # I: as an operator
kafka_pause() {  # I: hangs, connections stay; when this returns each of its threads stands still, which takes a busy system a while
  local pid; pid=$(cat "$KAFKA_HOME/pid-$1")
  kill -STOP "$pid" || return
  while grep -qsv '^State:.[TtZX]' <(grep -hs ^State: "/proc/$pid"/task/*/status); do sleep 0.01; done
}
kafka_resume() { kill -CONT "$(cat "$KAFKA_HOME/pid-$1")"; }
kafka_await-end() {  # I: what does not end by itself is ended
  local pid; pid=$(cat "$KAFKA_HOME/pid-$1")
  for _ in $(seq 240); do kill -0 "$pid" 2>/dev/null || return 0; sleep 0.25; done
  kill -9 "$pid"
}
kafka_revive() {
  local f
  for f in "$KAFKA_HOME"/pid-*; do kill -CONT "$(cat "$f")" 2>/dev/null || kafka_start "${f##*-}"; done
  kafka_wait
}
kafka_down() {
  local f
  for f in "$KAFKA_HOME"/pid-*; do [ -e "$f" ] && { kill -9 "$(cat "$f")" 2>/dev/null; rm -f "$f"; }; done
  rm -rf "$KAFKA_HOME"/data-* "$KAFKA_HOME"/log-* "$KAFKA_HOME"/server-*
}
# shellcheck disable=SC2120  # the argument comes from the command line
kafka_bootstrap() {  # [secure]
  local f s="" o=0; [ "${1:-}" = secure ] && o=200
  for f in "$KAFKA_HOME"/pid-*; do s+="${s:+,}127.0.0.1:$((KAFKA_BASE + o + ${f##*-}))"; done; echo "$s"
}
kafka_tool() { KAFKA_JIT=1 kafka_java 128m -Dlog4j2.level=ERROR "$@"; }  # CLASS ARGS...
kafka_topic() {  # TOPIC [PARTITIONS]
  kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "$(kafka_bootstrap plain)" --create --if-not-exists --topic "$1" --partitions "${2:-3}"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  case "${1:-}" in
    up|topic|kill|start|stop|pause|resume|await-end|revive|wait|bootstrap|tool|cert|fetch|down) kafka_cmd=$1; shift; "kafka_$kafka_cmd" "$@" ;;
    *) sed -n '2,/^[^#]/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; exit 64 ;;
  esac
fi
