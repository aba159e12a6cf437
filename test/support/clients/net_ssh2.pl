# Net::SSH2 (libssh2): put|get FLAGS PORT USER KEY LOCAL REMOTE. Exit status 1 if it fails.
use strict;
use warnings;
use Net::SSH2;

if ($ARGV[0] eq 'version') {
  print 'Perl Net::SSH2 ', Net::SSH2->VERSION, ', libssh2 ', (Net::SSH2->new->version)[0], "\n";
  exit 0;
}
my ($action, $flags, $port, $user, $key, $local, $remote) = @ARGV;
my $ssh = Net::SSH2->new();
$ssh->connect('127.0.0.1', $port) or die 'connect';
$ssh->auth_publickey($user, "$key.pub", $key) or die 'login';
my $done = $action eq 'put' ? $ssh->scp_put($local, $remote) : $ssh->scp_get($remote, $local);
if (!$done) {
  my ($code, $name, $text) = $ssh->error;
  warn $text // 'failed';
  exit 1;
}
