#!/usr/bin/env python3
"""An old-style chat: pages from the server, a database, and four workers that each serve one request at a time.

It stands for the web app that nobody wants to rewrite. Its pages ask /chat/updates every three seconds, and nearly
every answer is "[]". It runs without Pollhold, and in that form it knows nothing of it.

With CHAT_POLL=hold (or ?poll=hold on one page) the pages load hold.js in the place of interval.js and wait at
Pollhold's /poll instead. With POLLHOLD_SOCKET set, each message that was stored is also published. Look for
"Pollhold" below: that is all there is to it.
"""

import argparse
import html
import http.cookies
import http.server
import json
import os
import pathlib
import re
import secrets
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

ROOMS = {
    "lobby": "Where everybody comes in",
    "kitchen": "Coffee, cake and recipes",
    "garden": "What grows, and what was eaten by snails",
    "workshop": "Tools, screws and broken bicycles",
}
STATIC_FILES = {
    "chat.css": "text/css; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
    "interval.js": "text/javascript; charset=utf-8",
    "hold.js": "text/javascript; charset=utf-8",
}
HERE = pathlib.Path(__file__).resolve().parent
NAME_LIMIT = 40
TEXT_LIMIT = 2000
BODY_BYTES_LIMIT = 64 * 1024
MESSAGES_PER_ANSWER = 200

TABLES = """
    PRAGMA journal_mode = WAL;
    CREATE TABLE IF NOT EXISTS sessions (id TEXT PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT, room TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL,
        sent TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS messages_by_room ON messages (room, id);
"""


def publish(channel, data):
    """Tell Pollhold. The message is in the database already, so a failure is only logged."""
    try:
        with socket.socket(socket.AF_UNIX) as control:
            control.settimeout(1)
            control.connect(os.environ["POLLHOLD_SOCKET"])
            control.sendall(json.dumps({"channel": channel, "data": data}).encode() + b"\n")
            answer = control.recv(4096)
            if not answer.startswith(b'{"id"'):
                print(f"publish: refused: {answer!r}", file=sys.stderr)
    except OSError as error:
        print(f"publish: {error}", file=sys.stderr)


class Store:
    """The database, through one connection per worker."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, timeout=5)
        self.connection.row_factory = sqlite3.Row

    def log_in(self, name):
        session = secrets.token_urlsafe(24)
        with self.connection:
            self.connection.execute("INSERT INTO sessions VALUES (?, ?)", (session, name))
        return session

    def log_out(self, session):
        with self.connection:
            self.connection.execute("DELETE FROM sessions WHERE id = ?", (session,))

    def name(self, session):
        row = self.connection.execute("SELECT name FROM sessions WHERE id = ?", (session,)).fetchone()
        return row["name"] if row else None

    def add(self, room, name, text):
        sent = time.strftime("%H:%M")
        with self.connection:
            added = self.connection.execute(
                "INSERT INTO messages (room, name, text, sent) VALUES (?, ?, ?, ?)", (room, name, text, sent))
        return {"id": added.lastrowid, "name": name, "text": text, "sent": sent}

    def since(self, room, number):
        rows = self.connection.execute(
            "SELECT id, name, text, sent FROM messages WHERE room = ? AND id > ? ORDER BY id LIMIT ?",
            (room, number, MESSAGES_PER_ANSWER))
        return [dict(row) for row in rows]

    def latest(self, room):
        rows = self.connection.execute(
            "SELECT id, name, text, sent FROM messages WHERE room = ? ORDER BY id DESC LIMIT 50", (room,))
        return [dict(row) for row in rows][::-1]


class ChatRequest(http.server.BaseHTTPRequestHandler):
    """One connection, which is one request: a worker that waited for the next one could serve nobody else."""

    protocol_version = "HTTP/1.1"
    server_version = "legacy-chat"
    timeout = 10

    # Each route.

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/":
            self.redirect("/chat")
        elif url.path == "/chat":
            self.show_page()
        elif url.path == "/chat/updates":
            self.send_updates()
        elif url.path.removeprefix("/chat/") in STATIC_FILES:
            self.send_static(url.path.removeprefix("/chat/"))
        else:
            self.answer(404, "text/plain; charset=utf-8", "There is no such page.\n")

    do_HEAD = do_GET

    def do_POST(self):
        form = self.read_form()
        if form is None:
            return
        if self.path == "/chat/login":
            self.log_in(form)
        elif self.path == "/chat/logout":
            self.server.store.log_out(self.session())
            self.redirect("/chat", "session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
        elif self.path == "/chat/send":
            self.take_message(form)
        else:
            self.answer(404, "text/plain; charset=utf-8", "There is no such page.\n")

    def log_in(self, form):
        name = " ".join(form.get("name", "").split())[:NAME_LIMIT]
        if not name:
            return self.redirect("/chat")
        session = self.server.store.log_in(name)
        self.redirect("/chat", f"session={session}; Path=/; HttpOnly; SameSite=Lax")

    def show_page(self):
        name = self.server.store.name(self.session())
        if name is None:
            return self.answer(200, "text/html; charset=utf-8", login_page())
        room = self.query.get("room", "lobby")
        if room not in ROOMS:
            return self.answer(404, "text/plain; charset=utf-8", "There is no such room.\n")
        poll = self.query.get("poll", os.environ.get("CHAT_POLL", "interval"))
        script = "hold.js" if poll == "hold" else "interval.js"  # Pollhold: one other script tag.
        self.answer(
            200, "text/html; charset=utf-8",
            room_page(name, room, self.server.store.latest(room), script, self.query.get("poll")))

    def send_updates(self):
        room = self.query.get("room", "")
        since = self.query.get("since", "0")
        if self.server.store.name(self.session()) is None:
            self.answer_json(403, {"error": "log in first"})
        elif room not in ROOMS or not re.fullmatch(r"[0-9]{1,18}", since):
            self.answer_json(400, {"error": "room or since is wrong"})
        else:
            self.answer_json(200, self.server.store.since(room, int(since)))

    def take_message(self, form):
        name = self.server.store.name(self.session())
        room, text = form.get("room", ""), form.get("text", "").strip()[:TEXT_LIMIT]
        if name is None:
            return self.answer_json(403, {"error": "log in first"})
        if room not in ROOMS or not text:
            return self.answer_json(400, {"error": "room or text is missing"})
        message = self.server.store.add(room, name, text)
        if "POLLHOLD_SOCKET" in os.environ:
            publish("room." + room, message)  # Pollhold: after the commit, never before it.
        if self.headers.get("X-Requested-With") == "XMLHttpRequest":
            self.answer_json(200, message)
        else:
            self.redirect("/chat?" + urllib.parse.urlencode({"room": room}))

    def send_static(self, file):
        self.answer(200, STATIC_FILES[file], (HERE / file).read_text(encoding="utf-8"))

    # What every route needs.

    def session(self):
        try:
            cookies = http.cookies.SimpleCookie(self.headers.get("Cookie", ""))
        except http.cookies.CookieError:
            return ""
        return cookies["session"].value if "session" in cookies else ""

    def read_form(self):
        length = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"[0-9]{1,9}", length):
            return self.answer(411, "text/plain; charset=utf-8", "The form needs a length.\n")
        if int(length) > BODY_BYTES_LIMIT:
            return self.answer(413, "text/plain; charset=utf-8", "The form is too long.\n")
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        return dict(urllib.parse.parse_qsl(body))

    def redirect(self, place, cookie=None):
        fields = {"Location": place} | ({"Set-Cookie": cookie} if cookie else {})
        self.answer(303, "text/plain; charset=utf-8", "See " + place + "\n", fields)

    def answer_json(self, status, value):
        self.answer(status, "application/json", json.dumps(value))

    def answer(self, status, content_type, text, fields=None):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Connection", "close")
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, text, *arguments):
        line = f"{threading.current_thread().name}: {text % arguments}"
        print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr, flush=True)


def frame(title, body):
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/chat/chat.css">
</head>
<body>
{body}
</body>
</html>
"""


def login_page():
    return frame("Village chat", """<main class="login">
<h1>Village chat</h1>
<p>Since 2009, and still on the same four workers.</p>
<form method="post" action="/chat/login">
<label>Your name <input name="name" maxlength="40" required autofocus autocomplete="nickname"></label>
<button>Come in</button>
</form>
</main>""")


def room_page(name, room, messages, script, poll):
    suffix = "&amp;poll=" + html.escape(urllib.parse.quote(poll)) if poll else ""
    links = "\n".join(
        f'<a href="/chat?room={other}{suffix}"{current}>{other}</a>'
        for other in ROOMS for current in [' aria-current="page"' if other == room else ""])
    items = "\n".join(
        f'<li data-id="{message["id"]}"><b>{html.escape(message["name"])}</b> '
        f'<time>{message["sent"]}</time><p>{html.escape(message["text"])}</p></li>' for message in messages)
    return frame(f"{room} – Village chat", f"""<header>
<h1>Village chat</h1>
<nav>
{links}
</nav>
<form method="post" action="/chat/logout"><span>{html.escape(name)}</span> <button>Leave</button></form>
</header>
<main class="room" data-room="{room}" data-name="{html.escape(name)}">
<h2>{room} <small>{ROOMS[room]}</small></h2>
<ol id="messages">{items}</ol>
<form id="send" method="post" action="/chat/send">
<input type="hidden" name="room" value="{room}">
<input name="text" maxlength="{TEXT_LIMIT}" placeholder="Say something" aria-label="Message" required autofocus
 autocomplete="off">
<button>Send</button>
</form>
<p id="status"><noscript>Without JavaScript: reload the page to see what is new.</noscript></p>
</main>
<script src="/chat/chat.js"></script>
<script src="/chat/{script}"></script>""")


class Worker(threading.Thread):
    """Accepts one connection, serves it to the end, accepts the next: what a process of a forking server does."""

    def __init__(self, number, listener, database):
        super().__init__(name=f"worker {number}")
        self.listener = listener
        self.database = database
        self.busy = 0.0

    def run(self):
        self.store = Store(self.database)
        while True:
            try:
                connection, address = self.listener.accept()
            except OSError:
                return  # The listener was shut down.
            began = time.monotonic()
            try:
                with connection:
                    ChatRequest(connection, address, self)
            except Exception:  # One bad request must not take the worker with it.
                print(f"{self.name}: {traceback.format_exc()}", file=sys.stderr, flush=True)
            self.busy += time.monotonic() - began


def serve(port, workers, database):
    with sqlite3.connect(database) as connection:
        connection.executescript(TABLES)
    connection.close()
    ends = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    listener = socket.create_server(("127.0.0.1", port), backlog=128)
    # A browser opens connections ahead of need. This keeps them from taking up a worker each.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 5)
    threads = [Worker(number, listener, database) for number in range(1, workers + 1)]
    for thread in threads:
        thread.start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    signal.sigwait(ends)
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    print(f"busy: {sum(thread.busy for thread in threads):.3f} s", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="An old-style chat, to try Pollhold with.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one (default)")
    parser.add_argument("--workers", type=int, default=4, help="requests served at a time (default 4)")
    parser.add_argument("--database", help="SQLite file (default: a temporary one)")
    options = parser.parse_args()
    if options.workers < 1:
        parser.error("--workers must be 1 or more")
    if options.database:
        return serve(options.port, options.workers, options.database)
    with tempfile.TemporaryDirectory(prefix="legacy-chat.") as directory:
        serve(options.port, options.workers, os.path.join(directory, "chat.sqlite"))


if __name__ == "__main__":
    main()
