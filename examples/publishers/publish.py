#!/usr/bin/env python3
"""Publishes one message as a JSON line: publish.py SOCKET CHANNEL DATA"""
import json
import socket
import sys


def publish(path, channel, data):
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(5)
        control.connect(path)
        control.sendall(json.dumps({"channel": channel, "data": data}).encode() + b"\n")
        with control.makefile("r", encoding="utf-8") as lines:
            answer = json.loads(lines.readline() or '{"error": "no answer"}')
    if "error" in answer:
        raise ValueError(answer["error"])
    return answer["id"]


try:
    if len(sys.argv) != 4:
        raise ValueError("usage: publish.py SOCKET CHANNEL DATA")
    print(publish(*sys.argv[1:]))
except (OSError, ValueError) as error:
    sys.exit(f"publish: {error}")
