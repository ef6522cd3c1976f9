#!/usr/bin/perl
# Hashes of hashes, a child behind a pipe, regular expressions, sort, and an alarm that goes off.
use strict;
use warnings;

my $alarms = 0;
$SIG{ALRM} = sub { $alarms++; alarm 1 if $alarms < 2 };
alarm 1;
open(my $child, '-|', $^X, '-e', '$| = 1; for (1..60) { print "w$_ ", "x" x $_, "\n"; select undef, undef, undef, 0.04 }')
	or die "fork: $!";
my (%seen, @order);
while (my $line = <$child>) {
	$line =~ /^(w\d+) (x+)$/ or die "bad line '$line'";
	push @order, $1;
	for my $i (1 .. 3000) {
		my $key = "$1-" . ($i * 7919 % 1009);
		$seen{$1}{$key} += length($2) + $i;
	}
}
close($child) or die "child: $?";
select undef, undef, undef, 0.05 while $alarms < 2;
my $total = 0;
for my $word (sort keys %seen) {
	$total += $_ for values %{$seen{$word}};
}
print scalar(@order), " words, $order[0] to $order[-1], total $total, alarms $alarms\n";
