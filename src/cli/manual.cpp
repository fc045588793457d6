#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>

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

std::string option_text(const CLI::Option& option) {
  return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(option.get_name(true, true)),
                     option.get_expected_max() > 0 && option.get_positional() ? "" : " " + roff(option.get_type_name()),
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
      "found.\n.SH SEE ALSO\n.BR liftlock (1)\n";
  write_file_atomically(folder / (name + ".1"), page);
  return pages;
}

void complete(CLI::App& app, const std::string& path, std::string& script) {
  std::string words;
  for (auto* child : visible_children(app)) words += child->get_name() + " ";
  for (const auto* option : app.get_options()) {
    for (const auto& word : option->get_lnames()) words += "--" + word + " ";
  }
  script += fmt::format("    '{}') words='{}' ;;\n", path, trim(words));
  for (auto* child : visible_children(app)) complete(*child, path + " " + child->get_name(), script);
}

}  // namespace

std::size_t write_manual(CLI::App& app, const std::string& folder) {
  make_folders(folder);
  return write_page(app, "liftlock", folder);
}

std::string bash_completion(CLI::App& app) {
  std::string cases;
  complete(app, "liftlock", cases);
  return "# bash completion for liftlock\n_liftlock() {\n"
         "  local word path=liftlock words=''\n"
         "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "    case \"$word\" in -*) ;; *) case \"$(_liftlock_words \"$path\")\" in *\" $word \"*) path=\"$path $word\" "
         ";; esac ;; esac\n"
         "  done\n"
         "  words=$(_liftlock_words \"$path\")\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "  [[ ${COMP_WORDS[COMP_CWORD]} != -* && ${#COMPREPLY[@]} -eq 0 ]] && COMPREPLY=($(compgen -f -- "
         "\"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n_liftlock_words() {\n  local words=''\n  case \"$1\" in\n" +
         cases + "  esac\n  printf ' %s ' \"$words\"\n}\ncomplete -F _liftlock liftlock\n";
}

}  // namespace liftlock
