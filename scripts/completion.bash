# Completion of torpor's command line for bash; installed as completions/torpor.
# What exists is asked of the tool itself, so that nothing has to be kept in step.

_torpor_options()	# COMMAND
{
	"${COMP_WORDS[0]}" "$1" --help 2>/dev/null |
		sed -n 's/^  \(-\(.\), \|    \)\(--[a-z-]*\).*/\3 \2/p' | sed 's/ \(.\)$/ -\1/'
}

_torpor_commands()
{
	"${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

_torpor()
{
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
	local command=${COMP_WORDS[1]}

	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_torpor_commands) --help --version" -- "$current")
		return
	fi
	case $previous in
	-t | --tree)
		mapfile -t COMPREPLY < <(compgen -W "$(cd /proc && echo [0-9]*)" -- "$current")
		return ;;
	-D | -W | --images-dir | --work-dir)
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
		return ;;
	-o | --log-file | --pidfile | --action-script)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return ;;
	--log-format)
		mapfile -t COMPREPLY < <(compgen -W "text json" -- "$current")
		return ;;
	--network-lock)
		mapfile -t COMPREPLY < <(compgen -W "nftables skip" -- "$current")
		return ;;
	esac
	if [[ $current == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_torpor_options "$command")" -- "$current")
	elif [ "$command" = show ] && [ "$COMP_CWORD" -eq 3 ]; then
		mapfile -t COMPREPLY < <(cd "${COMP_WORDS[2]}" 2>/dev/null &&
			compgen -W "$(for f in *.img; do echo "${f%.img}"; done)" -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -d -- "$current")
	fi
}

complete -o filenames -F _torpor torpor
