# bash completion of mcuota; device names and job numbers are asked from the daemon (or its database).

_mcuota_devices() {
    mcuota "${connection[@]}" device list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_mcuota_jobs() {
    mcuota "${connection[@]}" job list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_mcuota() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local common="--json --socket --config --help" words="" command="" word i
    local -a connection=()
    COMPREPLY=()

    # The command words before the cursor; options that take a value are skipped with it.
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --socket|--config) connection+=("$word" "${COMP_WORDS[i+1]}"); ((i++)) ;;
            --state|--device|--since|--limit) ((i++)) ;;
            -*) ;;
            *) [[ $command == *" "*" "* ]] || command+="$word " ;;
        esac
    done

    case $previous in
        --socket|--config) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --device) mapfile -t COMPREPLY < <(compgen -W "$(_mcuota_devices)" -- "$current"); return ;;
        --state)
            words="queued downloading verifying waiting sending installing trial succeeded reverting failed cancelled"
            mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
            return ;;
        --since) mapfile -t COMPREPLY < <(compgen -W "1h 1d 7d" -- "$current"); return ;;
        --limit) return ;;
    esac

    case $command in
        "") words="status device job install rollback config completion --version $common" ;;
        "status ") words=$common ;;
        "device ") words="list show refresh --help" ;;
        "device list ") words=$common ;;
        "device show "|"device refresh ") words="$(_mcuota_devices) $common" ;;
        "job ") words="list show watch cancel retry --help" ;;
        "job list ") words="--state --device --since --limit $common" ;;
        "job show "|"job watch "|"job cancel ") words="$(_mcuota_jobs) $common" ;;
        "job retry ") words="$(_mcuota_jobs) --full $common" ;;
        "install "*)
            words="--device --dry-run --no-wait $common"
            compopt -o filenames
            [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        "rollback ") words="$(_mcuota_devices) --no-wait $common" ;;
        "config ") words="check --help" ;;
        "config check "*)
            words=$common
            compopt -o filenames
            [[ $current == -* ]] || mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
        "completion ") words="bash zsh --help" ;;
        *) words=$common ;;
    esac
    local -a more
    mapfile -t more < <(compgen -W "$words" -- "$current")
    COMPREPLY+=("${more[@]}")
}

complete -F _mcuota mcuota
