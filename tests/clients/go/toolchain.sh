# Sourced: $go is a Go that builds go.mod. From 1.21 on Go fetches what go.mod asks for by itself; for an older one, Debian 12's, this does.
# shellcheck shell=bash disable=SC2034
go=go
if [[ $(go env GOVERSION) =~ ^go1\.(1[0-9]|20)(\.|$) ]]; then
  wanted=$(sed -n 's/^go //p' "$(dirname "${BASH_SOURCE[0]}")/go.mod")
  toolchain=$(go env GOMODCACHE)/golang.org/toolchain@v0.0.1-go$wanted.linux-$(go env GOARCH)
  [ -x "$toolchain/bin/go" ] || {
    (cd / && go mod download "golang.org/toolchain@v0.0.1-go$wanted.linux-$(go env GOARCH)")
    chmod +x "$toolchain"/bin/* "$toolchain"/pkg/tool/*/*
  }
  go=$toolchain/bin/go
  export GOTOOLCHAIN=local
fi
