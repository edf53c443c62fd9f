// The same page through Pollhold: one poll waits at /poll, and the next follows its answer.
'use strict';

(function () {
    var cursor = null;
    var since = chat.latest;
    var asked = 0;
    var failures = 0;

    function url() {
        var place = '/poll?channel=' + encodeURIComponent('room.' + chat.room);
        return cursor === null ? place : place + '&after=' + encodeURIComponent(cursor);
    }

    // Without a cursor the first answer begins with the oldest message in the pool. Nothing that came between the
    // page and this poll is missed so, and what the page shows already is not shown again.
    function poll() {
        // A hold lasts 90 s. What takes much longer is a connection that broke without a word.
        var abort = new AbortController();
        var timer = setTimeout(function () { abort.abort(); }, 120000);
        fetch(url(), { signal: abort.signal, cache: 'no-store' })
            .then(function (response) {
                if (response.status === 400) { cursor = null; }
                if (!response.ok) { throw new Error('status ' + response.status); }
                return response.json();
            })
            .then(function (answer) {
                return answer.gap ? loadAfresh().then(function () { return answer; }) : answer;
            })
            .then(function (answer) {
                cursor = answer.cursor;
                failures = 0;
                chat.show(answer.messages.map(function (message) { return message.data; }));
                next();
            })
            .catch(function (error) {
                failures += 1;
                // Doubling, with chance in it, so that a thousand pages do not come back at the same moment.
                var seconds = Math.min(30, Math.pow(2, failures - 1)) * (0.5 + Math.random());
                chat.report('Cannot reach the chat (' + error.message + '), trying again.');
                setTimeout(next, seconds * 1000);
            })
            .then(function () { clearTimeout(timer); });
    }

    // Messages after the cursor are gone from the pool. The app itself still has them.
    function loadAfresh() {
        return chat.updates(since).then(function (messages) {
            if (messages.length === 0) { return undefined; }
            since = messages[messages.length - 1].id;
            chat.show(messages);
            return loadAfresh();
        });
    }

    function next() {
        asked += 1;
        if (failures === 0) { chat.report('Held by Pollhold: poll ' + asked + ' is waiting.'); }
        poll();
    }

    next();
})();
