#include "ecosystem/go/module_proxies.hpp"

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/text.hpp"
#include "ecosystem/go/go_mod.hpp"
#include "ecosystem/go/module_path.hpp"
#include "os/process.hpp"

namespace liftlock::go {
namespace {

bool is_url(std::string_view text) {
  return text.starts_with("https://") || text.starts_with("http://") || text.starts_with("file:///");
}

}  // namespace

ModuleProxies ModuleProxies::parse(std::string_view list) {
  ModuleProxies out;
  while (!list.empty()) {
    const auto end = list.find_first_of(",|");
    auto word = trim(list.substr(0, end));
    const bool pipe = end != std::string_view::npos && list[end] == '|';
    list = end == std::string_view::npos ? std::string_view() : list.substr(end + 1);
    if (word.empty()) continue;
    if (word == "direct" || word == "off" || word == "noproxy") break;
    while (word.ends_with('/')) word.remove_suffix(1);
    if (!is_url(word)) fail(ErrorCode::unresolvable, "'{}' in GOPROXY is no address", printable(word.substr(0, 200)));
    out.m_list.push_back({std::string(word), pipe});
  }
  if (out.m_list.empty()) {
    throw Error(ErrorCode::unresolvable, "GOPROXY names no module proxy",
                "name one with `proxy` in the stack; after `go mod download`, the module cache is one: "
                "proxy = \"file:///…/pkg/mod/cache/download\", as `go env GOMODCACHE` says");
  }
  return out;
}

ModuleProxies ModuleProxies::of_go(const std::string& folder) {
  const auto result = run_process_checked({.argv = {"go", "env", "GOPROXY"},
                                           .input = {},
                                           .set_environment = {{"GOTOOLCHAIN", "local"}},
                                           .unset_environment = {},
                                           .working_folder = folder});
  return parse(trim(result.output));
}

std::string ModuleProxies::base_for(std::string_view path, std::string_view version, Downloader& downloader,
                                    Document& mod) const {
  for (const auto& proxy : m_list) {
    const DocumentRequest request{.url = module_url(proxy.url, path, version, "mod"),
                                  .headers = {},
                                  .max_bytes = k_max_go_mod,
                                  .head = false,
                                  .accepted_status = {200, 404, 410}};
    try {
      mod = downloader.get(request);
      if (mod.status == 200) return proxy.url;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::not_found && !proxy.any_error_leads_on) throw;
    }
  }
  throw Error(
      ErrorCode::unresolvable, fmt::format("no proxy of GOPROXY has {} {}", path, version),
      "what go takes straight from version control is in its module cache after `go mod download`: name that with "
      "proxy = \"file:///…/pkg/mod/cache/download\", as `go env GOMODCACHE` says");
}

std::string module_url(std::string_view proxy, std::string_view path, std::string_view version, std::string_view end) {
  return fmt::format("{}/{}/@v/{}.{}", proxy, encode_percent_path(escape_module(path)),
                     encode_percent_path(escape_module(version)), end);
}

}  // namespace liftlock::go
