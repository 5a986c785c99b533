# bash completion of mcuota-board.

_mcuota_board() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]} words=""
    COMPREPLY=()
    # bash takes a colon for a word of its own: what stands before it says which option this is.
    if [[ $previous == : ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi
    if [[ $current == : ]]; then previous=${COMP_WORDS[COMP_CWORD-1]} current=""; fi

    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W "run prove --help" -- "$current")
        return
    fi
    case $previous in
        --flash|--nor|--load|--backup|--trace|--loader|pty|unix)
            compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$current"); return ;;
        --case) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$current"); return ;;
        --uart) compopt -o nospace; mapfile -t COMPREPLY < <(compgen -W "pty: unix: tcp:" -- "$current"); return ;;
        --control) compopt -o nospace; mapfile -t COMPREPLY < <(compgen -W "unix:" -- "$current"); return ;;
        --cut-at) compopt -o nospace; mapfile -t COMPREPLY < <(compgen -W "op: insn:" -- "$current"); return ;;
        --fault)
            compopt -o nospace
            mapfile -t COMPREPLY < <(compgen -W "flash-program: flash-erase: nor-id: nor-busy: nor-read: nor-worn:" -- "$current")
            return ;;
        --nor-part) words="W25Q128 W25Q256" ;;
        --part) words="1MB 1MB-dual 2MB" ;;
        --speed) words="real max" ;;
        --tear) words="mixed partial looks-done looks-untouched" ;;
        --after-cut) words="on off quit" ;;
        --boot0) words="0" ;;
        --scenario) words="install revert hang rollback journal confirm staging wrong-image revert-damaged rollback-damaged rotation rotation-again first recovery ahead ahead-begun ahead-revert ahead-rollback" ;;
        --idle-rate|--seed|--cpi|--hse|--lsi|--chip-id|--cut-time|--brown-outs|--brown-out-max) return ;;
        --cuts|--depth|--jobs|--security-counter|--only) return ;;
        *)
            case $command in
                run)
                    words="--flash --nor --nor-part --load --uart --control --part --speed --idle-rate --seed --cpi --hse --lsi"
                    words+=" --chip-id --backup --no-vbat --cut-at --cut-time --tear --after-cut --brown-outs --brown-out-max"
                    words+=" --fault --boot0 --trace --json --help" ;;
                prove)
                    words="--loader --case --scenario --cuts --depth --seed --jobs --security-counter --only --executes --no-memory"
                    words+=" --part --nor-part --help" ;;
            esac ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _mcuota_board mcuota-board
