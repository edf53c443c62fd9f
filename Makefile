# What a person types. The building itself is SwiftPM's.

PREFIX = /usr/local
DESTDIR =
SWIFT = swift

POLLHOLD = .build/release/pollhold
MAN_PAGES = man/pollhold.8 man/pollhold.yaml.5 man/pollhold-control.7

bin = $(DESTDIR)$(PREFIX)/bin
man = $(DESTDIR)$(PREFIX)/share/man
doc = $(DESTDIR)$(PREFIX)/share/doc/pollhold

# Of `make soak`.
MINUTES = 10

.PHONY: build release demo test soak torture fuzz bench bench-quick bench-store bench-counts bench-programs install uninstall clean \
	check-man libraries

build:
	$(SWIFT) build

# Swift's own library goes into the program. What it needs beside it then is libevent, SQLite and the C library.
release:
	$(SWIFT) build -c release --static-swift-stdlib --product pollhold

demo: libraries
	$(MAKE) release
	POLLHOLD=$(CURDIR)/$(POLLHOLD) examples/demo.sh

test: libraries
	.ci/test

# Mixed traffic for MINUTES with counts behind each of them, then a gibibyte each way through slow readers.
soak: libraries
	POLLHOLD_SOAK_MINUTES=$(MINUTES) $(SWIFT) test --filter SoakTests
	POLLHOLD_TEST_SCALE=16 $(SWIFT) test --filter StreamingTests

# Looks for bytes that break a law of Tests/FuzzTargets: make fuzz SECONDS=60, and TARGET=request for one alone.
SECONDS = 60
TARGET =
fuzz:
	.ci/fuzz $(SECONDS) $(TARGET)

# Pollhold beside a bare loop, nchan, Pushpin, nginx and HAProxy, as far as they are installed.
# All of it takes about a quarter of an hour, and a machine with nothing else to do.
bench: bench-programs
	.build/release/pollhold-bench compare --json .build/bench.json

# In less than two minutes, with smaller crowds.
bench-quick: bench-programs
	.build/release/pollhold-bench compare --quick --json .build/bench-quick.json

# Publishes that a pool in a file accepts in a second, beside one in memory.
bench-store: bench-programs
	.build/release/pollhold-bench store

# Instructions and allocations per poll, delivery, publish and proxied request, against the ceilings in
# Sources/pollhold-bench/Budget.swift. It takes valgrind and half a minute, and the machine may be busy.
bench-counts: bench-programs
	.build/release/pollhold-bench counts

bench-programs: libraries release
	$(SWIFT) build -c release --product bare-loop
	$(SWIFT) build -c release --product pollhold-bench

# The crash, upgrade, reload and overload tests at full length: 200 kills, thrice 50 upgrades and 500 reloads under load,
# and a minute at each limit.
torture: libraries
	POLLHOLD_CRASHES=200 $(SWIFT) test --filter CrashTests
	POLLHOLD_UPGRADES=50 $(SWIFT) test --filter UpgradeLoadTests
	POLLHOLD_RELOADS=500 $(SWIFT) test --filter ReloadTests
	POLLHOLD_OVERLOAD_SECONDS=60 $(SWIFT) test --filter OverloadTests

# Installs libevent and SQLite where that can be done with apt-get, and says how where it can't.
libraries:
	@if pkg-config --exists libevent_extra sqlite3 2>/dev/null; then exit 0; fi; \
	install='apt-get install -y libevent-dev libsqlite3-dev pkg-config'; \
	echo "libevent or SQLite is missing."; \
	if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
	    apt-get update && $$install; \
	elif command -v apt-get >/dev/null && command -v sudo >/dev/null; then \
	    echo "Installing them: sudo $$install"; sudo apt-get update && sudo $$install; \
	else \
	    false; \
	fi; \
	pkg-config --exists libevent_extra sqlite3 2>/dev/null || { \
	    echo "Please install them as root, then try again: $$install (or what your system calls them)" >&2; exit 1; }

# Of what `make release` built. Places that the pages and the unit name follow PREFIX.
install:
	@[ -x $(POLLHOLD) ] || { echo "There is no $(POLLHOLD); make release builds it." >&2; exit 1; }
	install -d $(bin) $(man)/man5 $(man)/man7 $(man)/man8 $(doc)
	install -m 755 $(POLLHOLD) $(bin)/pollhold
	for page in $(MAN_PAGES); do \
	    sed 's#/usr/local/#$(PREFIX)/#g' $$page >$(man)/man$${page##*.}/$${page#man/} || exit 1; \
	    chmod 644 $(man)/man$${page##*.}/$${page#man/} || exit 1; \
	done
	install -m 644 README.md LICENSE $(doc)
	cp -R examples $(doc)/
	chmod -R u=rwX,go=rX $(doc)/examples
	sed 's#/usr/local/#$(PREFIX)/#g' examples/pollhold.service >$(doc)/examples/pollhold.service

uninstall:
	rm -f $(bin)/pollhold $(man)/man8/pollhold.8 $(man)/man5/pollhold.yaml.5 $(man)/man7/pollhold-control.7
	rm -rf $(doc)

clean:
	$(SWIFT) package clean

check-man:
	mandoc -T lint -W warning $(MAN_PAGES)
