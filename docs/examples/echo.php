<?php
// A handler in PHP: answers every request with its path. Debian: php-cli php-zmq
//   php echo.php SEND_SPEC RECV_SPEC
[, $requests_at, $replies_at] = $argv;
$context = new ZMQContext();
$replies = $context->getSocket(ZMQ::SOCKET_PUB);  // the way back first: PUB drops what nobody hears yet
$replies->setSockOpt(ZMQ::SOCKOPT_SNDHWM, 100000);
$replies->connect($replies_at);
$requests = $context->getSocket(ZMQ::SOCKET_PULL);
$requests->connect($requests_at);

function netstring(string $text): array
{
    [$size, $rest] = explode(':', $text, 2);
    return [substr($rest, 0, (int) $size), substr($rest, (int) $size + 1)];
}

while (true) {
    [$sender, $id, $path, $rest] = explode(' ', $requests->recv(), 4);
    [$block, $rest] = netstring($rest);
    [$body] = netstring($rest);
    $headers = json_decode($block, true);
    if ($path === '@*') {
        continue;  // a notice of the server: a browser has gone
    }
    $text = sprintf("PHP: %s %s, %d bytes\n", $headers['METHOD'], $path, strlen($body));
    $answer = sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", strlen($text), $text);
    $replies->send(sprintf('%s %d:%s, %s', $sender, strlen($id), $id, $answer));
}
