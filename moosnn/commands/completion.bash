
# The words of a study: group=choice and key=value. $1: the word as far as it is typed.
_moosnn_study_words() {
  local key=${1%%=*} value=${1#*=} before="" words="" word
  if [[ $1 != *=* ]]; then
    compgen -W "@KEYS@" -- "$1"
    return
  fi
  case ${key#[+~]} in
@GROUPS@
    data.root | study_dir)
      while IFS= read -r word; do printf '%s=%s\n' "$key" "$word"; done \
        < <(compgen -d -- "$value")
      return ;;
  esac
  # Of several values, as in a sweep, the last one is being typed.
  [[ $value == *,* ]] && before=${value%,*},
  while IFS= read -r word; do printf '%s=%s%s\n' "$key" "$before" "$word"; done \
    < <(compgen -W "$words" -- "${value##*,}")
}

# A sub-command's words, or those of a study.
_moosnn() {
  local typed=${COMP_LINE:0:COMP_POINT} line found=()
  local word=${typed##*[[:space:]]}
  if [[ $COMP_CWORD -gt 1 && " @COMMANDS@ " == *" ${COMP_WORDS[1]} "* ]]; then
    _shtab_moosnn
    return
  fi
  if [[ $COMP_CWORD -eq 1 ]]; then
    _shtab_moosnn
    found=("${COMPREPLY[@]}")
  fi
  [[ $word == data.root=* || $word == study_dir=* ]] &&
    compopt -o filenames 2>/dev/null
  while IFS= read -r line; do
    # What stands before an equals sign is a word of its own to readline.
    [[ $COMP_WORDBREAKS == *=* && $line == *=?* ]] && line=${line#*=}
    [[ $line == *= ]] && compopt -o nospace 2>/dev/null
    found+=("$line")
  done < <(_moosnn_study_words "$word")
  COMPREPLY=("${found[@]}")
}

complete -F _moosnn moosnn
