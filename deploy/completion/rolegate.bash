# SPDX-License-Identifier: PostgreSQL
# Completion of rolegate for bash. Commands and options come from `rolegate --help`, so that they are
# always those of the program; listeners and members from a running proxy, when it answers at once.

# The first words of the lines below a heading of --help ("Subcommands:").
_rolegate_commands() { # PROGRAM
    "$1" --help 2>/dev/null | awk '/^[A-Z][a-z]+:/ { on = /^Subcommands:/; next } on && NF { print $1 }'
}

# "-c,--config FILE ..." is two options.
_rolegate_options() { # PROGRAM COMMAND
    "$1" ${2:+"$2"} --help 2>/dev/null |
        awk '/^[A-Z][a-z]+:/ { on = /^Options:/; next } on && /^ +-/ { gsub(",", "\n", $1); print $1 }'
}

# What stands in capitals behind an option: FILE, URL, ADDR:PORT; nothing behind a flag.
_rolegate_value_of() { # PROGRAM COMMAND OPTION
    "$1" "$2" --help 2>/dev/null | awk -v option="$3" '
        /^ +-/ { n = split($1, names, ","); for (i = 1; i <= n; i++) if (names[i] == option) { print $2; exit } }'
}

# "LISTENER", "CLUSTER/MEMBER" or "ID": what the command takes beside options.
_rolegate_argument_of() { # PROGRAM COMMAND
    "$1" "$2" --help 2>/dev/null | awk '/^[A-Z][a-z]+:/ { on = /^Positionals:/; next } on && NF > 1 { print $2 }'
}

# `rolegate explain` begins a listener with "listener NAME (role ROLE, cluster CLUSTER): ...", and each of its members
# with two spaces.
_rolegate_names() { # PROGRAM KIND WORDS...
    local program=$1 kind=$2 admin="" word
    shift 2
    while (($#)); do
        word=$1
        shift
        case $word in
            -a|--admin) admin=${1:-} ;;
            --admin=*) admin=${word#*=} ;;
        esac
    done
    timeout 1 "$program" explain ${admin:+--admin "$admin"} 2>/dev/null | awk -v kind="$kind" '
        /^listener / { if (kind == "listener") print $2; cluster = $0; sub(/.*cluster /, "", cluster); sub(/\).*/, "", cluster); next }
        /^[^ ]/ { cluster = "" }
        /^  [^ ]/ && cluster != "" && kind == "member" { print cluster "/" $1 }' | sort -u
}

_rolegate() {
    local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}
    local command="" word words="" line
    COMPREPLY=()
    read -ra line <<< "$COMP_LINE" # COMP_WORDS has a URL in pieces, split at its colons
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        [[ $word == -* ]] || { command=$word; break; }
    done

    if [[ $previous == -* && -n $command ]]; then
        case $(_rolegate_value_of "$program" "$command" "$previous") in
            FILE*)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return ;;
            LISTENER*) words=$(_rolegate_names "$program" listener "${line[@]}") ;;
            MEMBER*) words=$(_rolegate_names "$program" member "${line[@]}" | sed 's|.*/||') ;;
            [A-Z]*[A-Z]*) return ;; # an address or a URL: nobody knows which
        esac
    fi
    if [[ -n $words ]]; then
        : # the value of an option
    elif [[ $current == -* ]]; then
        words=$(_rolegate_options "$program" "$command")
    elif [[ -z $command ]]; then
        words=$(_rolegate_commands "$program")
    else
        case $(_rolegate_argument_of "$program" "$command") in
            *MEMBER*) words=$(_rolegate_names "$program" member "${line[@]}") ;;
            *LISTENER*) words=$(_rolegate_names "$program" listener "${line[@]}") ;;
            *FILE*)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                return ;;
        esac
        [[ $command == set-member && $previous == */* ]] && words="ready drain maint"
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _rolegate rolegate
