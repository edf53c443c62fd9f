#!/bin/sh
# Publishes one message over HTTP: publish.sh SOCKET CHANNEL DATA
# The data goes as text. With "Content-Type: application/json" it would have to be JSON.
set -eu

[ $# -eq 3 ] || { echo "usage: $0 SOCKET CHANNEL DATA" >&2; exit 1; }

# The channel goes into the query percent-encoded, the data byte for byte from standard input.
channel=$(printf %s "$2" | LC_ALL=C od -An -v -tx1 | tr -d ' \n' | sed 's/../%&/g')
printf %s "$3" | curl --silent --show-error --fail-with-body --max-time 5 --unix-socket "$1" \
    --header 'Content-Type: text/plain; charset=utf-8' --data-binary @- \
    "http://pollhold/publish?channel=$channel" || exit 1
