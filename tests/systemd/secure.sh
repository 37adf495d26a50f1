# shellcheck shell=bash
# TLS and passwords, towards Kafka and towards clients; sourced by `packages`. The box shares this machine's network.
# shellcheck disable=SC2154  # here, work, port: of packages

secure_tests() {  # NAME: of a box that has the cluster of upgrade_before
  try "$1: a wrong password for Kafka, and the right one" secure_kafka
  try "$1: TLS for clients, on systemd's socket and on its own" secure_clients
}

secure_kafka() {
  local credential=/etc/databus/credentials/secure-password
  in_box install -D -m 644 /dev/stdin /etc/databus/tls/kafka-ca.pem < "$DATABUS_TEST_TLS/ca.pem"
  in_box tee /etc/databus/conf.d/secure.toml <<EOT
[clusters.secure]
brokers = ["$DATABUS_TEST_KAFKA_SECURE"]
kafka = { "security.protocol" = "sasl_ssl", "sasl.mechanism" = "SCRAM-SHA-512", "sasl.username" = "app", "ssl.ca.location" = "/etc/databus/tls/kafka-ca.pem" }
kafka_files = { "sasl.password" = "secure-password" }
EOT
  printf '[[app]]\nkey = "ks"\nsecret = "s"\ncluster = "secure"\n[[app.grant]]\ngroup = "secure"\ntopic = "databus-upgrade"\noperation = "pub"\n' |
    in_box tee -a /etc/databus/apps.toml
  in_box install -m 600 /dev/stdin $credential <<< s3cret-wrong
  local begin=$EPOCHSECONDS
  in_box systemctl restart databus
  eventually has "(SASL authentication error: Authentication failed" of_service StatusText
  has "SASL authentication error" in_box journalctl --no-pager -u databus.service -p warning --since "@$begin"
  fails has s3cret in_box journalctl --no-pager --since "@$begin"
  fails in_box env CREDENTIALS_DIRECTORY=/run/credentials/databus.service databus check --connect
  has "SASL authentication error" in_box env CREDENTIALS_DIRECTORY=/run/credentials/databus.service databus check --connect
  in_box install -m 600 /dev/stdin $credential <<< app-secret
  in_box systemctl restart databus
  is "+OK +OK" says plain "AUTH ks:s@secure/topic=databus-upgrade&role=pub" "SET k -1"
  eventually fails has secure of_service StatusText
  has ok in_box env CREDENTIALS_DIRECTORY=/run/credentials/databus.service databus check --connect
}

secure_clients() {
  local own; own=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  in_box mkdir -p /etc/databus/tls
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
    -keyout "$work/client.key" -out "$work/client.crt" 2>/dev/null
  in_box install -m 640 -g databus /dev/stdin /etc/databus/tls/databus.key < "$work/client.key"
  in_box install -m 644 /dev/stdin /etc/databus/tls/databus.crt < "$work/client.crt"
  printf '[listen]\nresp_tls = ["127.0.0.1:%s"]\n[tls]\ncertificate = "/etc/databus/tls/databus.crt"\nkey = "/etc/databus/tls/databus.key"\n' "$own" |
    in_box tee /etc/databus/conf.d/tls.toml
  in_box systemctl restart databus
  is +PONG says "$own" PING
  is +PONG says plain PING
  local systemds; systemds=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  printf '[Socket]\nService=databus.service\nFileDescriptorName=resp_tls\nListenStream=127.0.0.1:%s\n' "$systemds" | in_box tee /etc/systemd/system/databus-tls.socket
  in_box systemctl daemon-reload
  in_box systemctl stop databus.service
  in_box systemctl start databus-tls.socket databus.service
  is +PONG says "$systemds" PING
  is +PONG says plain PING
  fails says "$own" PING
  # A new certificate takes a reload.
  openssl req -x509 -key "$work/client.key" -days 2 -subj /CN=renewed -addext subjectAltName=IP:127.0.0.1 -out "$work/client.crt" 2>/dev/null
  fails says "$systemds" PING
  in_box install -m 644 /dev/stdin /etc/databus/tls/databus.crt < "$work/client.crt"
  in_box systemctl reload databus
  is +PONG says "$systemds" PING
}

says() {  # plain|TLS-PORT COMMAND...: the replies, one line each, joined; the certificate has to be $work/client.crt
  python3 - "$@" "$port" "$work/client.crt" <<'EOT'
import socket, ssl, sys
to, *commands, plain, certificate = sys.argv[1:]
s = socket.create_connection(("127.0.0.1", int(plain if to == "plain" else to)), 40)
if to != "plain":
    s = ssl.create_default_context(cafile=certificate).wrap_socket(s, server_hostname="127.0.0.1")
replies = s.makefile("rb")
for command in commands:
    s.sendall(command.encode() + b"\r\n")
print(" ".join(replies.readline().decode().strip() for _ in commands))
EOT
}
