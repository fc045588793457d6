// The user's module proxies, as GOPROXY lists them: https://go.dev/ref/mod#module-proxy
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fetch/downloader.hpp"

namespace liftlock::go {

struct ModuleProxy {
  std::string url;  ///< https, http or file, without a '/' at its end
  /// '|' behind it in the list: any error leads to the next; ',' only says so for 404 and 410.
  bool any_error_leads_on = false;
};

class ModuleProxies {
 public:
  /// @param list "https://proxy.example,direct"; what stands behind "direct" or "off" is never asked
  /// @throws Error{unresolvable} when no proxy is in it
  static ModuleProxies parse(std::string_view list);
  /// What `go env GOPROXY` says, in the folder of the module. @throws Error{tool_missing, tool_failed, unresolvable}
  static ModuleProxies of_go(const std::string& folder);

  const std::vector<ModuleProxy>& list() const { return m_list; }
  /// The first proxy's answer to PATH/@v/FILE that is one. @throws Error{unresolvable} where none has it, and what the
  /// downloader throws
  std::string base_for(std::string_view path, std::string_view version, Downloader& downloader, Document& mod) const;

 private:
  std::vector<ModuleProxy> m_list;
};

/// PROXY/ESCAPED/@v/VERSION.END
std::string module_url(std::string_view proxy, std::string_view path, std::string_view version, std::string_view end);

}  // namespace liftlock::go
