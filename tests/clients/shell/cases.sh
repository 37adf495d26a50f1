# The cases of the matrix for programs of the shell; ../matrix tells what a program prints and is told. Sourced.
#
# case_NAME is a function for a case: its status says how it went, what it prints is worth knowing; `not_offered WHY` says that there is no such thing.
# shellcheck shell=bash
# What is set here is read where this is sourced.
# shellcheck disable=SC2034
host=${DATABUS%:*} port=${DATABUS##*:}
who() { printf '%s' "$KEY:${2:-$SECRET}@${3:-$GROUP}/topic=$TOPIC&role=$1"; }   # ROLE [SECRET [GROUP]]: the whole string
user() { printf '%s' "$KEY@$GROUP/topic=$TOPIC&role=$1"; }                      # ROLE: the part for the user name
quoted() { python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1], safe=""), end="")' "$1"; }
not_offered() { echo "$*"; return 3; }
wrong() { echo "$*"; return 1; }
ask() { echo "? $1" >&3; IFS= read -r answer <&4; }
key() { printf '%s' "$LIBRARY-$VERSION-$1"; }

run_cases() {  # NAME...
  local name note status
  for name; do
    note=$(mktemp)
    "case_${name//-/_}" >"$note" && status=0 || status=$?
    # shellcheck disable=SC2015  # printf does not fail
    case $status in
      0) printf 'ok %s' "$name" ;;
      3) printf 'n/a %s' "$name" ;;
      *) printf 'FAILED %s' "$name" ;;
    esac
    note=$(tr '\n' ' ' <"$note"; rm "$note"); note=${note% }
    printf '%s\n' "${note:+: ${note:0:300}}"
  done
}
exec 3>&1 4<&0 </dev/null
