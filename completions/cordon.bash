# SPDX-License-Identifier: Apache-2.0
# bash completion for cordon

_cordon()
{
	local cur prev command
	local -A options=(
		[run]='--tool --timeout-cpu --timeout --memory --result-size
			--log-size --jitless --no-warmup --watch --json --help'
		[serve]='--listen --config --token-file --no-auth --host
			--origin --memory-budget --cells --log-json --verbose
			--json --help'
		[build]='--out --sourcemap --minify --help'
		[doctor]='--json --help'
		[sandbox]='--all --json --help'
	)

	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	command=${COMP_WORDS[1]}

	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W \
		    'run serve build doctor sandbox version help' -- "$cur")
		return
	fi
	case $prev in
	--config | --token-file | --out | -o)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--timeout-cpu | --timeout)
		mapfile -t COMPREPLY < <(compgen -W '50ms 1s 30s' -- "$cur")
		return
		;;
	--memory | --result-size | --log-size | --memory-budget)
		mapfile -t COMPREPLY < <(compgen -W \
		    '256KiB 1MiB 128MiB 1GiB' -- "$cur")
		return
		;;
	--listen | --tool | --host | --origin | --cells)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
		    "${options[$command]:-}" -- "$cur")
		return
	fi
	case $command in
	run | build)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	serve)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	sandbox)
		if ((COMP_CWORD == 2)); then
			COMPREPLY=(show)
		else
			mapfile -t COMPREPLY < <(compgen -W 'gateway zygote
			    template cell cell-reuse --all' -- "$cur")
		fi
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W \
		    'run serve build doctor sandbox' -- "$cur")
		;;
	esac
}

complete -F _cordon cordon
