#!/bin/sh
# Shows Pollhold at work: the legacy chat on a free port, Pollhold in front of it on port 8080 (or a free one), one
# held poll and one publish with curl. Then both run on for your browser, until Ctrl-C.
#
# POLLHOLD      the program (default: the release build of this tree)
# DEMO_SECONDS  ends by itself after so many seconds, if standard input is no terminal
set -eu

examples=$(cd "$(dirname "$0")" && pwd)
POLLHOLD=${POLLHOLD:-$examples/../.build/release/pollhold}
directory= chat= pollhold= sleeper=

fail() {
    echo "demo: $1" >&2
    for log in "$directory"/*.log; do
        [ ! -s "$log" ] || { echo "--- ${log##*/}"; tail -n 20 "$log"; } >&2
    done
    exit 1
}

# Pollhold goes first, so that whoever waits at it gets a whole answer.
clean_up() {
    status=$?
    trap '' INT TERM
    for process in $sleeper $pollhold $chat; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    [ -z "$directory" ] || rm -rf "$directory"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 0' INT TERM

for program in python3 curl; do
    command -v "$program" >/dev/null || fail "$program is missing"
done
[ -x "$POLLHOLD" ] || fail "there is no $POLLHOLD; 'make release' builds it"
directory=$(mktemp -d "${TMPDIR:-/tmp}/pollhold-demo.XXXXXX")

# The app. It prints its address once it listens.
export POLLHOLD_SOCKET="$directory/control.sock"
mkfifo "$directory/address"
CHAT_POLL=hold python3 "$examples/legacy-chat/chat.py" >"$directory/address" 2>"$directory/chat.log" &
chat=$!
read -r CHAT_UPSTREAM <"$directory/address" || fail "the chat did not start"
export CHAT_UPSTREAM

# Pollhold in front.
POLLHOLD_LISTEN=$(python3 - <<'PYTHON'
import socket
for port in (8080, 0):
    try:
        print("127.0.0.1:%d" % socket.create_server(("127.0.0.1", port)).getsockname()[1])
        break
    except OSError:
        pass
PYTHON
)
export POLLHOLD_LISTEN
"$POLLHOLD" serve --config "$examples/demo.yaml" 2>"$directory/pollhold.log" &
pollhold=$!
url="http://$POLLHOLD_LISTEN"
tries=100
until curl --silent --output "$directory/page" --max-time 5 "$url/chat"; do
    kill -0 "$pollhold" 2>/dev/null || fail "Pollhold did not start"
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "nobody answers on $url"
    sleep 0.1
done

# One poll is held, one publish releases it.
cat <<TEXT

The app, an old-style chat, listens on $CHAT_UPSTREAM, Pollhold in front of it on $url.

A client polls. There is no message, so it is held:

    curl '$url/poll?channel=room.demo'

Two seconds later somebody publishes on the control socket:

    curl --unix-socket $POLLHOLD_SOCKET --json '{"text":"hello"}' \\
        'http://pollhold/publish?channel=room.demo'

TEXT
(
    curl --silent --max-time 20 "$url/poll?channel=room.demo" >"$directory/answer"
    date +%s%N >"$directory/answered"
) &
poll=$!
sleep 2
published=$(date +%s%N)
curl --silent --max-time 5 --unix-socket "$POLLHOLD_SOCKET" --header 'Content-Type: application/json' \
    --data-binary '{"text":"hello"}' 'http://pollhold/publish?channel=room.demo' >"$directory/receipt" ||
    fail "the publish was not answered"
wait "$poll" || fail "the poll was not answered"
grep -q '"hello"' "$directory/answer" || fail "the poll was answered without the message: $(cat "$directory/answer")"
cat <<TEXT
The publisher is told:  $(cat "$directory/receipt")
The client gets:        $(cat "$directory/answer")

From the start of the one curl to the end of the other: $((($(cat "$directory/answered") - published) / 1000000)) ms.

Now with a browser: open the chat in two windows, come in under two names, and talk.

    $url/chat                  held by Pollhold
    $url/chat?poll=interval    as it was before: asks every three seconds

TEXT

if [ ! -t 0 ] && [ -n "${DEMO_SECONDS:-}" ]; then
    sleep "$DEMO_SECONDS" &
    sleeper=$!
    wait "$sleeper"
    sleeper=
    kill -0 "$pollhold" 2>/dev/null || fail "Pollhold has ended"
else
    echo "Ctrl-C ends both."
    wait "$pollhold" || fail "Pollhold has ended"
fi
