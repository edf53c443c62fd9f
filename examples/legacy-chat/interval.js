// How it was done in 2009: ask every three seconds.
'use strict';

(function () {
    var since = chat.latest;
    var asked = 0;
    var empty = 0;

    setInterval(function () {
        chat.updates(since)
            .then(function (messages) {
                asked += 1;
                if (messages.length === 0) { empty += 1; }
                messages.forEach(function (message) { since = Math.max(since, message.id); });
                chat.show(messages);
                chat.report('Asks every 3 s: ' + asked + ' times so far, ' + empty + ' of them for nothing.');
            })
            .catch(function (error) { chat.report('Cannot reach the chat: ' + error.message); });
    }, 3000);
})();
