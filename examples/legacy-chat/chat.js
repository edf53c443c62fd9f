// What the page does either way: shows messages, and sends one without a reload.
// interval.js or hold.js, loaded after this, decides how new messages come in.
'use strict';

var chat = (function () {
    var list = document.getElementById('messages');
    var form = document.getElementById('send');
    var status = document.getElementById('status');
    var main = document.querySelector('main');

    // A message is shown once, whichever way it came: with the page, as the answer to sending it, or as news.
    function show(messages) {
        var atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 8;
        messages.forEach(function (message) {
            var next = null;
            for (var item = list.lastElementChild; item; item = item.previousElementSibling) {
                if (Number(item.dataset.id) === message.id) { return; }
                if (Number(item.dataset.id) < message.id) { break; }
                next = item;
            }
            list.insertBefore(element(message), next);
        });
        if (atEnd) { list.scrollTop = list.scrollHeight; }
    }

    function element(message) {
        var item = document.createElement('li');
        item.dataset.id = message.id;
        if (message.name === main.dataset.name) { item.className = 'own'; }
        item.append(part('b', message.name), ' ', part('time', message.sent), part('p', message.text));
        return item;
    }

    function part(name, text) {
        var node = document.createElement(name);
        node.textContent = text;
        return node;
    }

    // Asks the app for the messages after `since`. It answers at once, mostly with an empty list.
    function updates(since) {
        return fetch('/chat/updates?room=' + encodeURIComponent(main.dataset.room) + '&since=' + since)
            .then(function (response) {
                if (!response.ok) { throw new Error('status ' + response.status); }
                return response.json();
            });
    }

    form.addEventListener('submit', function (event) {
        event.preventDefault();
        var text = form.elements.text;
        if (!text.value.trim()) { return; }
        fetch(form.action, {
            method: 'POST',
            headers: { 'X-Requested-With': 'XMLHttpRequest' },
            body: new URLSearchParams(new FormData(form))
        }).then(function (response) {
            if (!response.ok) { throw new Error('status ' + response.status); }
            return response.json();
        }).then(function (message) {
            show([message]);
            list.scrollTop = list.scrollHeight;
        }).catch(function (error) {
            status.textContent = 'Not sent: ' + error.message;
        });
        text.value = '';
        text.focus();
    });

    Array.prototype.forEach.call(list.children, function (item) {
        if (item.firstElementChild.textContent === main.dataset.name) { item.className = 'own'; }
    });
    list.scrollTop = list.scrollHeight;

    return {
        room: main.dataset.room,
        // The last message that came with the page. Later ones are counted by whoever asks for them: what this page
        // sent itself may be newer than a message of somebody else's that it has not heard of yet.
        latest: list.lastElementChild ? Number(list.lastElementChild.dataset.id) : 0,
        show: show,
        updates: updates,
        report: function (text) { status.textContent = text; }
    };
})();
