#!/usr/bin/env php
<?php
// Publishes one message as a JSON line: publish.php SOCKET CHANNEL DATA

function publish(string $path, string $channel, mixed $data): string
{
    $control = @stream_socket_client("unix://$path", $number, $reason, 5);
    if ($control === false) {
        throw new RuntimeException($reason);
    }
    stream_set_timeout($control, 5);
    fwrite($control, json_encode(['channel' => $channel, 'data' => $data], JSON_THROW_ON_ERROR) . "\n");
    $answer = json_decode(fgets($control) ?: '{"error":"no answer"}', true, 512, JSON_THROW_ON_ERROR);
    return $answer['id'] ?? throw new RuntimeException($answer['error']);
}

try {
    $argc === 4 or throw new RuntimeException('usage: publish.php SOCKET CHANNEL DATA');
    echo publish($argv[1], $argv[2], $argv[3]), "\n";
} catch (Exception $error) {
    fwrite(STDERR, "publish: {$error->getMessage()}\n");
    exit(1);
}
