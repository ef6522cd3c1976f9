# A log that grows, is replaced by another one, and is followed through both by tail.
set -eu
: >log
tail -n +1 -F log 2>/dev/null >seen &
follower=$!
write()
{
	i=0
	while [ $i -lt 150 ]; do
		i=$((i + 1))
		echo "$1 $i" >>log
		sleep 0.005	# a pace at which the dumps fall among the lines
	done
}
write first
while [ "$(grep -c first seen)" -lt 150 ]; do sleep 0.02; done
mv log log.1
write second
while [ "$(grep -c second seen)" -lt 150 ]; do sleep 0.02; done
kill "$follower"
wait "$follower" || true
sha256sum <seen
