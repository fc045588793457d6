#include "server/index_page.hpp"

#include <fmt/format.h>

#include <iterator>

#include "base/counted.hpp"
#include "base/encoding.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_style = R"(:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
h1{margin-bottom:0}h2{margin-top:2.5rem}p.sub{margin-top:.2rem;opacity:.75}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .8rem .35rem 0;border-bottom:1px solid #8884}
code,pre{font:14px/1.45 ui-monospace,monospace}pre{padding:.8rem 1rem;border:1px solid #8884;border-radius:6px;overflow:auto}
td.n,th.n{text-align:right})";

void append_publications(std::string& out, const MirrorState& state) {
  out += "<h2>Publications</h2>\n";
  if (state.publications.empty()) {
    out += "<p>Nothing was published yet. <code>liftlock ingest</code> brings a bundle in.</p>\n";
    return;
  }
  out +=
      "<table><tr><th>channel</th><th>sequence</th><th>published</th><th class=n>artifacts</th><th class=n>size</th>"
      "<th>bundle.json</th></tr>\n";
  for (auto it = state.publications.rbegin(); it != state.publications.rend(); ++it) {
    const auto channel = escape_html(it->channel);
    fmt::format_to(std::back_inserter(out),
                   "<tr><td>{0}</td><td><a href=\"/bundles/{0}/{1}/\">{1}</a>{2}</td><td>{3}</td><td class=n>{4}</td>"
                   "<td class=n>{5}</td><td><code>{6}…</code></td></tr>\n",
                   channel, it->sequence, it->latest ? " (latest)" : "", format_time(it->published_at),
                   it->artifact_count, format_size(it->size), it->bundle_digest.hex().substr(0, 16));
  }
  out += "</table>\n";
}

void append_routes(std::string& out, const MirrorState& state, std::string_view base_url) {
  for (const auto& route : state.routes) {
    fmt::format_to(std::back_inserter(out), "<h2>{}</h2>\n<p>Under <code>{}</code>.</p>\n<pre>{}</pre>\n",
                   escape_html(route->title()), escape_html(route->prefix()),
                   escape_html(trim(route->client_configuration(base_url))));
  }
}

}  // namespace

std::string index_page(const MirrorState& state, std::string_view organisation, std::string_view base_url) {
  std::string out =
      "<!doctype html>\n<html lang=en><meta charset=utf-8>\n<meta name=viewport content=\"width=device-width\">\n";
  fmt::format_to(std::back_inserter(out),
                 "<title>Liftlock mirror</title>\n<style>{}</style>\n<h1>Liftlock mirror</h1>\n", k_style);
  fmt::format_to(std::back_inserter(out), "<p class=sub>{}{}{}, {}, at <code>{}</code></p>\n",
                 escape_html(organisation), organisation.empty() ? "" : ": ",
                 counted(state.view->artifacts.size(), "artifact"), format_size(state.bytes), escape_html(base_url));
  append_publications(out, state);
  append_routes(out, state, base_url);
  const auto url = escape_html(base_url);
  fmt::format_to(
      std::back_inserter(out),
      "<h2>Plain files</h2>\n<p>Every artifact under <a href=\"/files/\"><code>/files/KIND/NAME/VERSION/</code></a>, "
      "every bundle as it came under <a href=\"/bundles/\"><code>/bundles/CHANNEL/SEQUENCE/</code></a> "
      "(or <code>latest</code>), with ranges and SHA-256 entity tags.</p>\n"
      "<pre>curl -fLO -C - {0}/bundles/CHANNEL/latest/manifest/bundle.json</pre>\n"
      "<h2>The mirror's key</h2>\n<p><a href=\"/mirror-key.asc\">/mirror-key.asc</a> (armored), "
      "<a href=\"/mirror-key.gpg\">/mirror-key.gpg</a> (binary, for apt's <code>signed-by</code>).</p>\n",
      url);
  return out + "</html>\n";
}

}  // namespace liftlock
