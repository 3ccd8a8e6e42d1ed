#!/usr/bin/perl
# A handler in Perl: answers every request with its path. Debian: libzmq-ffi-perl
#   perl echo.pl SEND_SPEC RECV_SPEC
use strict;
use warnings;
use JSON::PP;
use ZMQ::FFI qw(ZMQ_PULL ZMQ_PUB ZMQ_SNDHWM);

my ($requests_at, $replies_at) = @ARGV;
my $context = ZMQ::FFI->new();
my $replies = $context->socket(ZMQ_PUB);    # the way back first: PUB drops what nobody hears yet
$replies->set(ZMQ_SNDHWM, 'int', 100_000);
$replies->connect($replies_at);
my $requests = $context->socket(ZMQ_PULL);
$requests->connect($requests_at);

sub netstring {
    my ($size, $rest) = split /:/, $_[0], 2;
    return (substr($rest, 0, $size), substr($rest, $size + 1));
}

while (1) {
    my ($sender, $id, $path, $rest) = split / /, $requests->recv(), 4;
    (my $block, $rest) = netstring($rest);
    my ($body) = netstring($rest);
    my $headers = decode_json($block);
    next if $path eq '@*';    # a notice of the server: a browser has gone
    my $text = sprintf "Perl: %s %s, %d bytes\n", $headers->{METHOD}, $path, length $body;
    my $answer = sprintf "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s",
        length $text, $text;
    $replies->send(sprintf '%s %d:%s, %s', $sender, length $id, $id, $answer);
}
