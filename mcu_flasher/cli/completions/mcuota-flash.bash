# bash completion of mcuota-flash.

_mcuota_flash() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local words="--link --timeout --json --help" command="" i
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            --link|--timeout|--install-timeout|--pubkey|--seed) ((i++)) ;;
            -*) ;;
            *) command=${command:-${COMP_WORDS[i]}} ;;
        esac
    done

    case $previous in
        --link)
            # The colon of uart: ends a word for bash: offer ports behind it.
            mapfile -t COMPREPLY < <(compgen -W "uart: tcp:" -- "$current"; compgen -G "${current#uart:}/dev/tty*")
            compopt -o nospace
            return ;;
        --pubkey) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -X '!*.pem' -- "$current"; compgen -d -- "$current"); return ;;
        --timeout|--install-timeout|--seed) return ;;
    esac
    case $command in
        "") words+=" --version info push confirm rollback reboot rotate selftest log" ;;
        push) words+=" --pubkey --full --install-timeout" ;;
        rollback) words+=" --install-timeout" ;;
        reboot) words+=" --loader" ;;
        selftest) words+=" --yes-erase-everything --quick --seed" ;;
    esac
    if [[ $current == -* || -z $command ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    local pattern=""
    case $command in
        push) pattern='!*.mcup' ;;
        rotate) pattern='!*.mcuk' ;;
        *) return ;;
    esac
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -X "$pattern" -- "$current"; compgen -d -- "$current")
}
complete -F _mcuota_flash mcuota-flash
