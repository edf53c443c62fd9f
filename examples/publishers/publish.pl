#!/usr/bin/env perl
# Publishes one message as a JSON line: publish.pl SOCKET CHANNEL DATA
use strict;
use warnings;
use Encode qw(decode);
use IO::Socket::UNIX;
use JSON::PP;

sub publish {
    my ($path, $channel, $data) = @_;
    local $SIG{ALRM} = sub { die "timed out\n" };
    alarm 5;
    my $control = IO::Socket::UNIX->new(Peer => $path) or die "$!\n";
    print {$control} encode_json({ channel => $channel, data => $data }), "\n";
    $control->flush;
    my $answer = decode_json(readline($control) // '{"error":"no answer"}');
    alarm 0;
    return $answer->{id} // die "$answer->{error}\n";
}

if (@ARGV != 3) { print STDERR "usage: publish.pl SOCKET CHANNEL DATA\n"; exit 1 }
my ($path, @text) = ($ARGV[0], map { decode('UTF-8', $_) } @ARGV[1, 2]);
my $id = eval { publish($path, @text) };
if (!defined $id) { print STDERR "publish: $@"; exit 1 }
print "$id\n";
