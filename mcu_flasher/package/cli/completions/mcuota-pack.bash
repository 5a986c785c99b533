# bash completion of mcuota-pack.

_mcuota_pack() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} words=""
    COMPREPLY=()
    if ((COMP_CWORD == 1)); then
        words="keygen create rotate merge zip extract inspect verify apply diff patch prove --help --version"
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
        return
    fi
    case $previous in
        --type) mapfile -t COMPREPLY < <(compgen -W "ecdsa-p256 rsa-2048" -- "$current"); return ;;
        --scenario) mapfile -t COMPREPLY < <(compgen -W "install revert hang rollback journal confirm staging wrong-image revert-damaged rollback-damaged rotation rotation-again first recovery ahead ahead-begun ahead-revert ahead-rollback" -- "$current"); return ;;
        --part) mapfile -t COMPREPLY < <(compgen -W "1MB 1MB-dual 2MB" -- "$current"); return ;;
        --format) mapfile -t COMPREPLY < <(compgen -W "mcuota hdiffsf20 hdiff13" -- "$current"); return ;;
        --key|--from|--next|--pubkey|--public|--header|--image|--base|--rotation|--out|--loader|--board)
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return ;;
        --version|--hardware|--security-counter|--allow-downgrade-from|--requires|--load-address|--memory|--generation|--pkcs11|--cuts|--depth|--seed|--jobs|--payload|--only)
            return ;;
    esac
    case $command in
        keygen) words="--type --out --from --public --header --next" ;;
        create)
            words="--image --version --hardware --key --pkcs11 --out --base --format --no-full --security-counter
                   --allow-downgrade-from --requires --rotation --allow-derived --load-address" ;;
        rotate) words="--key --pkcs11 --next --generation --out" ;;
        merge|zip|extract) words="--out" ;;
        inspect) words="--base" ;;
        verify) words="--pubkey --base" ;;
        apply) words="--base --out --hardware" ;;
        diff) words="--format --load-address --memory --prefix --key" ;;
        patch) words="" ;;
        prove)
            words="--base --cuts --depth --seed --jobs --scenario --pubkey --hardware --payload --part --nor-part --only --loader
                   --board --executes --no-memory" ;;
        *) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$words --json --help" -- "$current")
    else
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
    fi
}

complete -F _mcuota_pack mcuota-pack
