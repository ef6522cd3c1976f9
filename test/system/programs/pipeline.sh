#!/bin/bash
# A pipeline in the background, a trap, a reading loop with forks of its own, and a wait.
set -eu
trap 'echo the trap ran' USR1
{
	for i in {1..60}; do
		echo "line $i"
		read -r -t 0.03 <> <(:) || true
	done
} | while read -r word number; do
	echo "$word $(expr "$number" \* 3)"
done | awk '{ sum += $2; print; fflush() } END { print "sum", sum }' >pipeline.out &
background=$!
for i in {1..25}; do
	text=$(printf 'round %d' "$i")
	echo "${text^^}"
	sleep 0.07
done
kill -USR1 $$
wait "$background"
cat pipeline.out
