// What a downloader must know of URLs (RFC 3986, parsed by libcurl): origins, redirect targets, safe display.
#pragma once

#include <string>
#include <string_view>

namespace liftlock {

struct UrlParts {
  std::string scheme;  ///< lower case
  std::string host;
  std::string port;  ///< the scheme's own when none is written
  std::string user;
  std::string password;
  std::string path;

  bool same_origin(const UrlParts& other) const;
};

/// @throws Error{network} for what is no URL, or has a scheme other than https, http and file
UrlParts parse_url(const std::string& url);

/// Without user, password, query and fragment: for messages. Never throws; what cannot be parsed becomes "(bad URL)".
std::string shown_url(const std::string& url);

/// The absolute target of a redirect with the credentials of `from` kept only within its origin.
/// @throws Error{network} when it goes from https to http, to a file, or is no URL
std::string redirect_target(const std::string& from, const std::string& to);

}  // namespace liftlock
