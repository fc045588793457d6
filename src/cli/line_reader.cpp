#include "cli/line_reader.hpp"

#include <fcntl.h>
#include <histedit.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <iostream>

#include "base/error.hpp"

namespace liftlock {
namespace {

constexpr char k_ctrl_d = 4;
constexpr int k_history_lines = 1000;
// The signal of Ctrl-C may meet another thread, so that no read of this one is interrupted.
constexpr int k_look_for_stop_ms = 50;

}  // namespace

struct LineReader::Impl {
  Impl(std::optional<fs::path> file, std::atomic<bool>& given) : stop(given), history_file(std::move(file)) {
    if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDOUT_FILENO) == 0) return;
    // The library counts columns by the locale; nothing else here depends on one.
    if (std::setlocale(LC_CTYPE, "") == nullptr || MB_CUR_MAX == 1) std::setlocale(LC_CTYPE, "C.UTF-8");
    history = ::history_init();
    editor = ::el_init("liftlock", stdin, stdout, stderr);
    if (history == nullptr || editor == nullptr) fail(ErrorCode::internal, "the line editor did not start");
    HistEvent event;
    ::history(history, &event, H_SETSIZE, k_history_lines);
    ::history(history, &event, H_SETUNIQUE, 1);
    ::el_set(editor, EL_CLIENTDATA, this);
    ::el_set(editor, EL_PROMPT, &Impl::show_prompt);
    ::el_set(editor, EL_EDITOR, "emacs");
    ::el_set(editor, EL_HIST, ::history, history);
    ::el_set(editor, EL_SIGNAL, 0);
    ::el_wset(editor, EL_GETCFN, &Impl::read_key);
    // As a shell has it; the library's own are other keys.
    ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    ::el_set(editor, EL_BIND, "\033[H", "ed-move-to-beg", nullptr);
    ::el_set(editor, EL_BIND, "\033[F", "ed-move-to-end", nullptr);
    ::el_set(editor, EL_BIND, "\033[3~", "ed-delete-next-char", nullptr);
    if (history_file && fs::exists(*history_file)) ::history(history, &event, H_LOAD, history_file->c_str());
  }

  ~Impl() {
    if (editor != nullptr) ::el_end(editor);
    if (history != nullptr) ::history_end(history);
  }

  static char* show_prompt(EditLine* editor) {
    void* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    return static_cast<Impl*>(self)->prompt.data();
  }

  /// The library's own reads again after a signal.
  /// @returns 1 and a character; 0 at the end of the input; -1 when stopped.
  static int read_key(EditLine* editor, wchar_t* out) {
    void* self = nullptr;
    ::el_get(editor, EL_CLIENTDATA, &self);
    const auto& stop = static_cast<Impl*>(self)->stop;
    std::mbstate_t state{};
    for (;;) {
      pollfd input{STDIN_FILENO, POLLIN, 0};
      const int ready = ::poll(&input, 1, k_look_for_stop_ms);
      if (stop) return -1;
      if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
      char byte = 0;
      const auto count = ::read(STDIN_FILENO, &byte, 1);
      if (count < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (count <= 0) return 0;
      // So the kernel hands on a Ctrl-D that came before the library took the terminal's lines apart itself.
      if (byte == '\0') byte = k_ctrl_d;
      const auto size = std::mbrtowc(out, &byte, 1, &state);
      if (size == static_cast<std::size_t>(-2)) continue;
      if (size == static_cast<std::size_t>(-1)) *out = L'?';
      return 1;
    }
  }

  std::optional<std::string> read_edited() {
    for (;;) {
      int length = 0;
      const char* line = ::el_gets(editor, &length);
      if (line != nullptr && length > 0) {
        std::string text(line, static_cast<std::size_t>(length));
        if (text.ends_with('\n')) text.pop_back();
        return text;
      }
      // Ctrl-C interrupts the read: a fresh line, as in a shell.
      if (!stop.exchange(false)) return std::nullopt;
      drop_line();
      std::puts("^C");
    }
  }

  /// The library keeps what was typed over a read that ended.
  void drop_line() {
    const auto* line = ::el_line(editor);
    const auto size = static_cast<int>(line->lastchar - line->buffer);
    ::el_cursor(editor, size);
    ::el_deletestr(editor, size);
    ::el_reset(editor);
  }

  void keep(const std::string& text) {
    HistEvent event;
    ::history(history, &event, H_ENTER, text.c_str());
    if (!history_file) return;
    // The library writes where the file is, with the mode that it has.
    const UniqueFd made(::open(history_file->c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!made.valid()) fail_errno(history_file->string());
    if (::fchmod(made.get(), 0600) != 0) fail_errno(history_file->string());
    ::history(history, &event, H_SAVE, history_file->c_str());
  }

  std::atomic<bool>& stop;
  std::optional<fs::path> history_file;
  std::string prompt;
  History* history = nullptr;
  EditLine* editor = nullptr;
};

LineReader::LineReader(std::optional<fs::path> history, std::atomic<bool>& stop)
    : m_impl(std::make_unique<Impl>(std::move(history), stop)) {}
LineReader::~LineReader() = default;

bool LineReader::interactive() const {
  return m_impl->editor != nullptr;
}

std::optional<std::string> LineReader::read(const std::string& prompt) {
  if (interactive()) {
    m_impl->prompt = prompt;
    return m_impl->read_edited();
  }
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

void LineReader::remember(const std::string& text) {
  if (interactive()) m_impl->keep(text);
}

}  // namespace liftlock
