#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/text.hpp"
#include "cli/program.hpp"
#include "os/file.hpp"

namespace liftlock {
namespace {

/// Escapes what roff would read as a request.
std::string roff(std::string_view text) {
  std::string out;
  for (const auto line : split(text, '\n')) {
    if (!out.empty()) out += '\n';
    if (!line.empty() && (line[0] == '.' || line[0] == '\'')) out += "\\&";
    for (const char c : line) {
      if (c == '\\')
        out += "\\e";
      else if (c == '-')
        out += "\\-";
      else
        out += c;
    }
  }
  return out;
}

std::vector<CLI::App*> visible_children(CLI::App& app) {
  std::vector<CLI::App*> out;
  for (auto* child : app.get_subcommands({})) {
    if (!child->get_name().empty() && !child->get_group().empty()) out.push_back(child);
  }
  return out;
}

/// "{a,b,c}" may be longer than a line: it can be broken behind its commas.
std::string type_of(const CLI::Option& option) {
  if (option.get_expected_max() > 0 && option.get_positional()) return "";
  std::string out = " ";
  for (const char c : roff(option.get_type_name())) {
    out += c;
    if (c == ',') out += "\\:";
  }
  return out;
}

std::string option_text(const CLI::Option& option) {
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(option.get_name(true, true)), type_of(option),
                     roff(option.get_description()));
}

/// Its positional arguments by their names, as a synopsis has them: "FILE [FOLDER...]".
std::string arguments_of(const CLI::App& app) {
  std::string out;
  for (const auto* option : app.get_options()) {
    if (!option->get_positional() || option->get_group().empty()) continue;
    auto name = roff(option->get_name(true, false));
    if (option->get_expected_max() > 1) name += " ...";
    out += fmt::format("{}{}", out.empty() ? "" : " ", option->get_required() ? name : "[" + name + "]");
  }
  return out;
}

/// The page of a command and those of the commands below it. Returns how many.
std::size_t write_page(CLI::App& app, const std::string& name, const std::filesystem::path& folder) {
  std::size_t pages = 1;
  std::string page =
      fmt::format(".TH {} 1 \"\" \"Liftlock {}\" \"Liftlock Manual\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n", roff(name),
                  LIFTLOCK_VERSION, roff(name), roff(app.get_description()));
  std::string spoken = name;
  for (auto& c : spoken) c = c == '-' ? ' ' : c;
  page += fmt::format(".B {}\n[OPTIONS] {}\n.SH OPTIONS\n", roff(spoken),
                      visible_children(app).empty() ? arguments_of(app) : "COMMAND");
  for (const auto* option : app.get_options()) {
    if (!option->get_group().empty()) page += option_text(*option);
  }
  if (const auto children = visible_children(app); !children.empty()) {
    page += ".SH COMMANDS\n";
    for (auto* child : children) {
      page += fmt::format(".TP\n\\fB{}\\fR\n{}\n", roff(child->get_name()), roff(child->get_description()));
      pages += write_page(*child, name + "-" + child->get_name(), folder);
    }
  }
  if (!app.get_footer().empty()) page += fmt::format(".SH NOTES\n.nf\n{}\n.fi\n", roff(app.get_footer()));
  page +=
      ".SH EXIT STATUS\n0 done; 1 internal or I/O error; 2 usage; 3 policy; 4 integrity; 5 space; 6 upstream; 7 not "
      "found; 130 ended by Ctrl-C.\n.SH SEE ALSO\n.BR liftlock (1)\n";
  write_file_atomically(folder / (name + ".1"), page);
  return pages;
}

struct Completion {
  std::string words;   ///< a line for each command: what may follow it
  std::string ids;     ///< a line for each command that takes words: those of the store (how `ls` is asked), or files
  std::string values;  ///< a line for each option with a value: its choices, or files
};

/// "TEXT:{txt,md}", as CLI11 shows a check for membership, or "{txt,md}", which an option has as its type where it has
/// words of its own for other values: "txt md". Empty: no fixed choices.
std::string choices_of(const CLI::Option& option) {
  const auto type = option.get_type_name();
  const auto begin = type.find('{'), end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  auto out = type.substr(begin + 1, end - begin - 1);
  std::replace(out.begin(), out.end(), ',', ' ');
  return out;
}

std::string files_of_values(const std::string& path, const CLI::Option& option) {
  std::string out;
  if (option.get_positional() || option.get_items_expected_max() == 0) return out;
  const auto choices = choices_of(option);
  for (const auto& word : option.get_lnames()) {
    out += choices.empty() ? fmt::format("    '{} --{}') kind=files ;;\n", path, word)
                           : fmt::format("    '{} --{}') kind=words words='{}' ;;\n", path, word, choices);
  }
  return out;
}

void complete(CLI::App& app, const std::string& path, Completion& out) {
  std::string words;
  bool takes_words = false;
  for (auto* child : visible_children(app)) words += child->get_name() + " ";
  for (const auto* option : app.get_options()) {
    for (const auto& word : option->get_lnames()) words += "--" + word + " ";
    out.values += files_of_values(path, *option);
    if (!option->get_positional()) continue;
    takes_words = true;
    if (option->get_single_name() == "CODE") {
      for (const auto& error : all_errors()) words += std::string(error.slug) + " ";
      out.ids += fmt::format("    '{}') kind=words ;;\n", path);
    }
    if (const auto choices = choices_of(*option); !choices.empty()) {
      words += choices + " ";
      out.ids += fmt::format("    '{}') kind=words ;;\n", path);
    }
    const auto type = option->get_type_name();
    if (type == k_artifact_type) out.ids += fmt::format("    '{}') kind='--ids' ;;\n", path);
    if (type == k_model_type) out.ids += fmt::format("    '{}') kind='--ids --kind model' ;;\n", path);
  }
  // Of several lines for a command the first counts.
  if (takes_words && visible_children(app).empty()) out.ids += fmt::format("    '{}') kind=files ;;\n", path);
  out.words += fmt::format("    '{}') words='{}' ;;\n", path, trim(words));
  for (auto* child : visible_children(app)) complete(*child, path + " " + child->get_name(), out);
}

}  // namespace

std::size_t write_manual(CLI::App& app, const std::string& folder) {
  make_folders(folder);
  return write_page(app, "liftlock", folder);
}

std::string bash_completion(CLI::App& app) {
  Completion found;
  complete(app, "liftlock", found);
  // bash cuts words at ':', and often at '@', which ids have: what it takes for the word is the end of what was typed.
  return R"sh(# bash completion for liftlock
_liftlock() {
  local word before='' typed=${COMP_LINE-} head='' cut=${COMP_WORDBREAKS-} path=liftlock words='' kind='' state=()
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$before" in --state | --state=) state=(--state "$word") ;; esac
    before=$word
    case "$word" in -*) ;; *) case "$(_liftlock_words "$path")" in *" $word "*) path="$path $word" ;; esac ;; esac
  done
  cut=${cut//[^:@]/}
  typed=${typed:0:${COMP_POINT-0}}
  typed=${typed##*[[:space:]]}
  words=$(_liftlock_words "$path")
  COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
  [[ ${COMP_WORDS[COMP_CWORD]} != -* && $typed != -* ]] || return 0
  case "$path $before" in
)sh" + found.values +
         R"sh(  *)
    case "$path" in
)sh" + found.ids +
         R"sh(    esac ;;
  esac
  if [[ $kind == files ]]; then
    COMPREPLY=()
  elif [[ $kind == words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
    return 0
  elif [[ -n $kind ]]; then
    COMPREPLY=()
    [[ -n $cut && $typed == *[$cut]* ]] && head=${typed%"${typed##*[$cut]}"}
    # Names came with bundles: none may mean something to the shell.
    # shellcheck disable=SC2086
    while IFS= read -r word; do
      [[ $word == "$typed"* && $word != *[!A-Za-z0-9._:@/+~-]* ]] || continue
      COMPREPLY+=("${word#"$head"}")
    done < <("${COMP_WORDS[0]}" --quiet "${state[@]}" ls $kind 2> /dev/null)
  fi
  if [[ ${#COMPREPLY[@]} -eq 0 ]]; then
    compopt -o filenames 2> /dev/null
    COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
  fi
}
_liftlock_words() {
  local words=''
  case "$1" in
)sh" + found.words +
         R"sh(  esac
  printf ' %s ' "$words"
}
complete -F _liftlock liftlock
)sh";
}

}  // namespace liftlock
