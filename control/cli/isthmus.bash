# Completion of isthmus(1) for bash: the command itself knows what may come next.
_isthmus()
{
	local word=${COMP_WORDS[COMP_CWORD]}

	# Readline breaks words at ':' too; a prefix or endpoint is typed by hand anyway.
	mapfile -t COMPREPLY < <(isthmus --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
	if [ ${#COMPREPLY[@]} -eq 0 ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}
complete -o filenames -F _isthmus isthmus
