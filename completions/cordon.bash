# SPDX-License-Identifier: Apache-2.0
# bash completion for cordon

_cordon()
{
	local cur prev command
	local host='--url --admin-socket --token-file --tenant --help'
	local quota='--requests --concurrent --cpu --result-size'
	local grants='--policy --settings --profile --read --write --net
		--unix-sockets --env --secret --memory --pids --cpu --tmp-size
		--timeout --denials'
	local names='wrap learn run serve upstream import tools call connect token secret tenant
		audit egress top build doctor sandbox version help'
	local -A verbs=(
		[upstream]='add list show approve deny remove restart logs
			login logins logout'
		[token]='create list revoke'
		[secret]='set list rm rotate'
		[tenant]='create list set remove'
		[audit]='tail verify export'
		[egress]='log'
		[sandbox]='show'
	)
	local -A options=(
		[learn]="$grants --grant --output --json --help"
		[wrap]="$grants --live --json --explain --refresh
			--allow-scripts --help"
		[run]='--tool --timeout-cpu --timeout --memory --result-size
			--log-size --jitless --no-warmup --watch --net --policy
			--json --help'
		[serve]='--listen --config --token-file --tls-cert --tls-key
			--no-auth --host --origin --memory-budget --cells
			--log-json --verbose --json --help'
		[upstream]="--socket --host-url --share --timeout-cpu --timeout --memory
			--result-size --log-size --load-cpu --load-wall
			--pool-max --reuse --jitless --no-warmup --follow
			--policy --settings --profile --read --write --net
			--unix-sockets --env --secret --pids --cpu --tmp-size
			--denials --start-timeout --idle --life --spares
			--starts --refresh --allow-scripts --scope --issuer
			--client-id --client-secret --port --principal
			--public-key --json $host"
		[import]="--add --yes --server --policy --profile --read --write
			--allow-scripts --json $host"
		[tools]="--json $host"
		[call]="--server --json $host"
		[connect]="$host"
		[token]="--scope --server --expires $quota --json $host"
		[secret]="--for --host --header --query --basic --public-key --principal
			--key-file --json $host"
		[tenant]="--memory $quota --json $host"
		[audit]="--follow --lines --json $host"
		[egress]="--follow --server --refused --json $host"
		[top]="--once --json $host"
		[build]='--out --sourcemap --minify --help'
		[doctor]='--json --help'
		[sandbox]='--all --json --help'
	)

	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	command=${COMP_WORDS[1]}

	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
		return
	fi
	case $prev in
	--policy | --settings | --read | --write | --config | --token-file | --tls-cert | --tls-key | --out | -o | \
	    --key-file | \
	    --socket | --admin-socket)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--cpu)
		mapfile -t COMPREPLY < <(compgen -W '0.5 1 2 50ms 1s' -- "$cur")
		return
		;;
	--timeout-cpu | --timeout | --load-cpu | --load-wall | \
	    --start-timeout | --idle | --life)
		mapfile -t COMPREPLY < <(compgen -W '50ms 1s 30s' -- "$cur")
		return
		;;
	--memory | --tmp-size | --result-size | --log-size | --memory-budget)
		mapfile -t COMPREPLY < <(compgen -W \
		    '256KiB 1MiB 128MiB 1GiB' -- "$cur")
		return
		;;
	--profile)
		mapfile -t COMPREPLY < <(compgen -W \
		    'node python workspace none' -- "$cur")
		return
		;;
	--denials)
		mapfile -t COMPREPLY < <(compgen -W 'none calls files' -- "$cur")
		return
		;;
	--env | --secret)
		mapfile -t COMPREPLY < <(compgen -e -- "$cur")
		return
		;;
	--share)
		mapfile -t COMPREPLY < <(compgen -W \
		    'principal session all' -- "$cur")
		return
		;;
	--scope)
		mapfile -t COMPREPLY < <(compgen -W 'read call admin' -- "$cur")
		return
		;;
	--listen | --tool | --host | --origin | --cells | --url | --host-url | --tenant | \
	    --server | --expires | --requests | --concurrent | --lines | \
	    --for | --header | --query | --public-key | --principal | \
	    --pool-max | --reuse | --net | --pids | --spares | --starts)
		return
		;;
	esac
	if [[ $cur == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
		    "${options[$command]:-}" -- "$cur")
		return
	fi
	if ((COMP_CWORD == 2)) && [[ -v verbs[$command] ]]; then
		mapfile -t COMPREPLY < <(compgen -W \
		    "${verbs[$command]}" -- "$cur")
		return
	fi
	case $command in
	run | build | call | upstream | import)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	learn | wrap)
		if ((COMP_CWORD == 2)) || [[ $prev == -- ]]; then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		;;
	serve)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	sandbox)
		mapfile -t COMPREPLY < <(compgen -W 'payload gateway store
		    zygote template cell cell-reuse --all' -- "$cur")
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W "$names" -- "$cur")
		;;
	esac
}

complete -F _cordon cordon
