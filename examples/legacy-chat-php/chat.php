<?php
// An old-style chat in one PHP file, as there are thousands: a page, a form, and a script that asks every three
// seconds. It knows nothing of Pollhold. Run it with
//
//     PHP_CLI_SERVER_WORKERS=4 php -S 127.0.0.1:8000 chat.php
//
// and put pollhold.yaml, beside this file, in front of it.
//
// Messages stand in a file, one JSON object a line; CHAT_FILE says where.

const ROOMS = ['lobby', 'kitchen'];

function messages(string $room, int $since): array
{
    $file = getenv('CHAT_FILE') ?: sys_get_temp_dir() . '/legacy-chat-php.jsonl';
    if (!is_file($file)) {
        return [];
    }
    $found = [];
    foreach (file($file, FILE_IGNORE_NEW_LINES) as $index => $line) {
        $message = json_decode($line, true);
        if ($index >= $since && $message['room'] === $room) {
            $found[] = ['id' => $index + 1] + $message;
        }
    }
    return $found;
}

function add(string $room, string $name, string $text): void
{
    $file = getenv('CHAT_FILE') ?: sys_get_temp_dir() . '/legacy-chat-php.jsonl';
    $line = json_encode(['room' => $room, 'name' => $name, 'text' => $text]) . "\n";
    file_put_contents($file, $line, FILE_APPEND | LOCK_EX);
}

function answer(int $status, string $type, string $body): void
{
    http_response_code($status);
    header("Content-Type: $type; charset=utf-8");
    echo $body;
}

// The session's lock is given up at once, as everybody learns who polls with PHP.
session_start(['read_and_close' => $_SERVER['REQUEST_METHOD'] === 'GET']);
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
$name = $_SESSION['name'] ?? null;

if ($path === '/login.php' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    $_SESSION['name'] = substr(trim($_POST['name'] ?? ''), 0, 40);
    header('Location: /', true, 303);
} elseif ($name === null || $name === '') {
    $status = $path === '/' ? 200 : 403;
    answer($status, 'text/html', '<form method="post" action="/login.php">Your name <input name="name"></form>');
} elseif ($path === '/updates.php') {
    $room = $_GET['room'] ?? '';
    if (in_array($room, ROOMS, true)) {
        answer(200, 'application/json', json_encode(messages($room, (int) ($_GET['since'] ?? 0))));
    } else {
        answer(400, 'application/json', '{"error":"no such room"}');
    }
} elseif ($path === '/send.php' && $_SERVER['REQUEST_METHOD'] === 'POST') {
    $room = $_POST['room'] ?? '';
    $text = trim($_POST['text'] ?? '');
    if (in_array($room, ROOMS, true) && $text !== '') {
        add($room, $name, substr($text, 0, 2000));
        header("Location: /?room=$room", true, 303);
    } else {
        answer(400, 'text/plain', "Say something, in a room that there is.\n");
    }
} elseif ($path === '/') {
    $room = in_array($_GET['room'] ?? '', ROOMS, true) ? $_GET['room'] : ROOMS[0];
    answer(200, 'text/html', <<<PAGE
        <!DOCTYPE html>
        <title>Chat</title>
        <h1>$room</h1>
        <ol id="messages"></ol>
        <form method="post" action="/send.php">
        <input type="hidden" name="room" value="$room"><input name="text" autofocus> <button>Send</button>
        </form>
        <script>
        var since = 0, list = document.getElementById('messages');
        function ask() {
            fetch('/updates.php?room=$room&since=' + since).then(function (response) {
                return response.json();
            }).then(function (messages) {
                messages.forEach(function (message) {
                    if (message.id <= since) { return; }
                    since = message.id;
                    var item = document.createElement('li');
                    item.textContent = message.name + ': ' + message.text;
                    list.appendChild(item);
                });
            });
        }
        ask();
        setInterval(ask, 3000);
        </script>
        PAGE);
} else {
    answer(404, 'text/plain', "There is no such page.\n");
}
