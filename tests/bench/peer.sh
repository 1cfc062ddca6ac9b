#!/usr/bin/env bash
# Pointsman in a side-by-side benchmark:  peer.sh install|start|stop|kill9|fresh
#
# The contract: everything lies under $BENCH_HOME and listens on loopback; `start` prints the webhook's URL and leaves the ids of the
# root processes in $BENCH_HOME/run/pointsman/pids; `stop` and `kill9` end exactly those trees; `fresh` forgets all data.
# SECRET, TOKEN, PHONE and PROVIDER (the provider's address) come from the environment.
#
# Configured as an operator would: SQLite with synchronous=FULL, signatures checked, journal, sandbox, everything sealed, and one
# workflow of two steps, a plugin and a script (echo-rule).
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
: "${BENCH_HOME:=${XDG_CACHE_HOME:-$HOME/.cache}/peer-bench}"
: "${SECRET:=app-secret}" "${TOKEN:=test-token}" "${PHONE:=106540352242922}" "${PROVIDER:=http://127.0.0.1:7200}"
: "${PUBLIC_PORT:=7320}" "${PRIVATE_PORT:=7321}"
: "${POINTSMAN_BINARY:=${CARGO_TARGET_DIR:-$root/target}/release/pointsman}"
name=pointsman
run="$BENCH_HOME/run/$name"
data="$run/data"
mkdir -p "$run"

# The operator's settings, by the environment. A provider on loopback has to be allowed by name.
export POINTSMAN_HTTP__PUBLIC="127.0.0.1:$PUBLIC_PORT" POINTSMAN_HTTP__PRIVATE="127.0.0.1:$PRIVATE_PORT"
# A load from a thousand contacts is faster than people write: the pace at which a conversation is taken for a loop is switched off.
export POINTSMAN_LIMITS__REPLIES_A_MINUTE=0
export POINTSMAN_EGRESS__ALLOW_PRIVATE="[\"${PROVIDER#*://}\"]"
unset POINTSMAN_DIR

pointsman() { "$POINTSMAN_BINARY" --dir "$data" "$@"; }

install() { (cd "$root" && cargo build --quiet --release --package pointsman); }

# A host from nothing, through the same commands that an operator types. Made beside its place and moved there, so that a host is
# whole or not there.
set_up() {
  local place="$data"
  rm -rf "$run/making"
  data="$run/making"
  pointsman init >>"$run/log" 2>&1 &&
    POINTSMAN_SECRET_ACCESS_TOKEN="$TOKEN" POINTSMAN_SECRET_APP_SECRET="$SECRET" POINTSMAN_SECRET_VERIFY_TOKEN=verify-me \
      pointsman channel add whatsapp --offline --json --account "$PHONE" \
      --set "api_url=$PROVIDER" --set api_version=v21.0 --set waba_id=102290129340398 </dev/null >"$data/channel.json" 2>>"$run/log" &&
    pointsman publish "$here/echo-rule" >>"$run/log" 2>&1 &&
    mv "$data" "$place" && data="$place"
}

# ready <port>: whether the host says that it takes webhooks.
ready() {
  local answer=
  { exec 3<>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\n\r\n' "$1" >&3
  read -r -t 2 answer <&3 || true
  exec 3>&- 3<&-
  [[ "$answer" == *" 200 "* ]]
}

start() {
  [ -x "$POINTSMAN_BINARY" ] || { echo "$name: there is no $POINTSMAN_BINARY: run '$0 install'" >&2; exit 1; }
  rm -f "$run/pids"
  if [ ! -d "$data" ]; then
    set_up || { echo "$name: could not be set up:" >&2; tail -5 "$run/log" >&2; exit 1; }
  fi
  local hook
  hook="$(grep -o '/hooks/[A-Za-z0-9_-]*' "$data/channel.json" | head -1)"
  nohup "$POINTSMAN_BINARY" --dir "$data" serve >>"$run/log" 2>&1 </dev/null &
  echo $! >>"$run/pids"
  local i
  for ((i = 0; i < 600; i++)); do
    if ready "$PRIVATE_PORT"; then
      echo "http://127.0.0.1:$PUBLIC_PORT$hook"
      return
    fi
    any_alive "$(cat "$run/pids")" || break
    sleep 0.1
  done
  echo "$name: did not become ready:" >&2
  tail -5 "$run/log" >&2
  exit 1
}

tree_of() {
  local pid child
  for pid in "$@"; do
    echo "$pid"
    for child in $(cat /proc/"$pid"/task/*/children 2>/dev/null); do tree_of "$child"; done
  done
}

# Whether a process of these is still there (a zombie is not).
any_alive() {
  local pid
  for pid in "$@"; do
    if [ -d "/proc/$pid" ] && [ "$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null | cut -c1)" != Z ]; then return 0; fi
  done
  return 1
}

stop() { # stop <signal>: and kills what is still there after ten seconds
  [ -f "$run/pids" ] || return 0
  local all i
  mapfile -t all < <(tree_of $(cat "$run/pids"))
  kill "-$1" "${all[@]}" 2>/dev/null || true
  for ((i = 0; i < 100; i++)); do
    any_alive "${all[@]}" || break
    sleep 0.1
  done
  if any_alive "${all[@]}"; then kill -KILL "${all[@]}" 2>/dev/null || true; fi
  rm -f "$run/pids"
}

case "${1:-}" in
  install) install ;;
  start) start ;;
  stop) stop TERM ;;
  kill9) stop KILL ;;
  fresh) rm -rf "$run" && mkdir -p "$run" ;;
  *) echo "usage: peer.sh install|start|stop|kill9|fresh" >&2; exit 2 ;;
esac
