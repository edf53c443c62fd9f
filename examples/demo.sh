#!/bin/sh
# Shows Pollhold at work. An old-style chat, whose pages ask every three seconds, is measured first alone and then with
# Pollhold in front of it; neither the chat nor its pages know of that. Then one poll is held and released by a publish
# with curl, and both run on for your browser, until Ctrl-C.
#
# POLLHOLD      the program (default: the release build of this tree)
# DEMO_MEASURE  how long each measurement lasts, in seconds (default 30)
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

# The app. It prints its address once it listens, and when it ends how long its workers were busy.
start_chat() {
    mkfifo "$directory/address"
    python3 "$examples/legacy-chat/chat.py" >"$directory/address" 2>"$directory/chat.log" &
    chat=$!
    read -r CHAT_UPSTREAM <"$directory/address" || fail "the chat did not start"
    rm "$directory/address"
    export CHAT_UPSTREAM
}

# Plays the pages of the chat at a URL: measure NAME URL
measure() {
    python3 "$examples/legacy-chat/measure.py" --seconds "${DEMO_MEASURE:-30}" "$2" >"$directory/$1.json" ||
        fail "the pages did not work"
    grep -c '"GET /chat/updates' "$directory/chat.log" >"$directory/$1.polls" || true
}

cat <<TEXT

An old-style chat with four workers. Twelve users have its page open in four rooms; the page asks for what is new every
three seconds. Now and then somebody says something. First the chat alone, for ${DEMO_MEASURE:-30} seconds.
TEXT
start_chat
measure alone "$CHAT_UPSTREAM"
kill "$chat"
wait "$chat" || true
grep '^busy' "$directory/chat.log" >"$directory/alone.busy" || fail "the chat did not end well"
start_chat

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
export POLLHOLD_SOCKET="$directory/control.sock"
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

# The same chat and the same pages with Pollhold in front.
echo "Then the same with Pollhold in front of it, for as long."
measure held "$url"
kill "$chat"
wait "$chat" || true
grep '^busy' "$directory/chat.log" >"$directory/held.busy" || fail "the chat did not end well"
python3 - "$directory" <<'PYTHON'
import json, pathlib, sys
folder = pathlib.Path(sys.argv[1])

def numbers(name):
    told = json.loads((folder / f"{name}.json").read_text())
    minutes = told["seconds"] / 60
    busy = float((folder / f"{name}.busy").read_text().split()[1])
    polls = int((folder / f"{name}.polls").read_text() or 0)
    return [
        f"{told['median']:.0f} ms", f"{told['worst']:.0f} ms", f"{told['seen']} of {told['seen'] + told['missed']}",
        f"{polls / minutes / told['users']:.1f}", f"{busy / told['seconds']:.3f}"]

rows = ["from sent to seen, median", "from sent to seen, worst", "messages seen",
        "questions to the app, per user and minute", "busy workers of the app, on average"]
print(f"\n{'':44}{'alone':>12}{'behind Pollhold':>18}")
for row, alone, held in zip(rows, numbers("alone"), numbers("held")):
    print(f"{row:44}{alone:>12}{held:>18}")
PYTHON

# Once more, for your browser.
CHAT_PORT=${CHAT_UPSTREAM##*:}
python3 "$examples/legacy-chat/chat.py" --port "$CHAT_PORT" >"$directory/chat.out" 2>"$directory/chat.log" &
chat=$!

# One poll is held, one publish releases it.
cat <<TEXT

The app listens on $CHAT_UPSTREAM, Pollhold in front of it on $url.

Pages that are made for it can also wait at Pollhold itself. A client polls. There is no message, so it is held:

    curl '$url/poll?channel=room.demo'

Two seconds later somebody publishes on the control socket:

    curl --unix-socket $POLLHOLD_SOCKET --json '{"text":"hello"}' \\
        'http://pollhold/publish?channel=room.demo'

TEXT
(
    curl --silent --max-time 60 "$url/poll?channel=room.demo" >"$directory/answer"
    date +%s%N >"$directory/answered"
) &
poll=$!
sleep 2
# On a slow machine the poll may take longer to get there.
tries=80
until curl --silent --max-time 5 --unix-socket "$POLLHOLD_SOCKET" 'http://pollhold/channels/room.demo' |
    grep -q '"waiting":1[,}]'; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || fail "the poll is not held"
    sleep 0.1
done
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

    $url/chat        the page as it always was, and instant
    $CHAT_UPSTREAM/chat       the same page without Pollhold
    $url/chat?poll=hold    a page that waits at Pollhold's /poll

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
