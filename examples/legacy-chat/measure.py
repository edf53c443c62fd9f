#!/usr/bin/env python3
"""Plays the chat's pages and measures how long a message takes from being sent to being seen.

Each user is a page as it was in 2009: a timer asks for what is new every three seconds, whether the last question was
answered or not, over at most six connections, as in a browser. Messages are sent as a page sends them. Nothing here
knows whether Pollhold stands in between.

Prints one JSON object: users, sent, seen, median and worst delay in milliseconds, and the seconds that it took.
"""

import argparse
import http.client
import json
import random
import statistics
import threading
import time
import urllib.parse

ROOMS = ["lobby", "kitchen", "garden", "workshop"]
INTERVAL = 3.0
CONNECTIONS = 6


class Page:
    """One user's page: a session, a room, and a timer."""

    def __init__(self, host, number):
        self.host = host
        self.room = ROOMS[number % len(ROOMS)]
        self.goes_on = True
        self.since = 0
        self.seen = {}
        self.lock = threading.Lock()
        self.places = threading.Semaphore(CONNECTIONS)
        status, fields, _ = self.ask("POST", "/chat/login", urllib.parse.urlencode({"name": f"user {number}"}))
        assert status == 303, status
        self.cookie = fields["Set-Cookie"].split(";")[0]
        self.started = time.monotonic()

    cookie = ""

    def ask(self, method, path, body=None):
        connection = http.client.HTTPConnection(self.host, timeout=150)
        try:
            fields = {"Cookie": self.cookie}
            if body is not None:
                fields["Content-Type"] = "application/x-www-form-urlencoded"
                fields["X-Requested-With"] = "XMLHttpRequest"
            connection.request(method, path, body, fields)
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def poll(self):
        with self.lock:
            since = self.since
        try:
            status, _, body = self.ask("GET", f"/chat/updates?room={self.room}&since={since}")
            if status == 200:
                now = time.monotonic()
                with self.lock:
                    for message in json.loads(body):
                        self.seen.setdefault(message["id"], now)
                        self.since = max(self.since, message["id"])
        except OSError:
            pass  # A page goes on with its next question.
        finally:
            self.places.release()

    def run(self):
        # The timers of different pages are not in step.
        time.sleep(random.random() * INTERVAL)
        while self.goes_on:
            if self.places.acquire(blocking=False):
                threading.Thread(target=self.poll, daemon=True).start()
            time.sleep(INTERVAL)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("url", help="of the chat, or of Pollhold in front of it")
    parser.add_argument("--users", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--every", type=float, default=2.5, help="seconds between two messages")
    options = parser.parse_args()
    host = urllib.parse.urlsplit(options.url).netloc
    began = time.monotonic()
    ends = began + options.seconds
    pages = [Page(host, number) for number in range(options.users)]
    threads = [threading.Thread(target=page.run, daemon=True) for page in pages]
    for thread in threads:
        thread.start()
    sent = []
    while True:
        pause = options.every * (0.5 + random.random())
        # The last ones have the time to arrive.
        if time.monotonic() + pause > ends - INTERVAL - 1:
            break
        time.sleep(pause)
        page = random.choice(pages)
        start = time.monotonic()
        status, _, body = page.ask(
            "POST", "/chat/send", urllib.parse.urlencode({"room": page.room, "text": f"message {len(sent)}"}))
        assert status == 200, status
        sent.append((json.loads(body)["id"], page.room, start))
    # On a slow machine the last ones take longer: the pages go on until they have seen them.
    patience = max(ends, time.monotonic()) + 20
    while time.monotonic() < ends or (
            time.monotonic() < patience and not all(
                number in page.seen for number, room, _ in sent for page in pages if page.room == room)):
        time.sleep(0.1)
    for page in pages:
        page.goes_on = False
    for thread in threads:
        thread.join()
    time.sleep(0.5)
    delays = []
    missed = 0
    for number, room, start in sent:
        for page in pages:
            if page.room == room:
                if number in page.seen:
                    delays.append(1000 * (page.seen[number] - start))
                else:
                    missed += 1
    print(json.dumps({
        "users": len(pages), "sent": len(sent), "seen": len(delays), "missed": missed,
        "median": statistics.median(delays or [0]), "worst": max(delays or [0]),
        "seconds": time.monotonic() - began}))


if __name__ == "__main__":
    main()
