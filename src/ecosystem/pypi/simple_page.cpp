#include "ecosystem/pypi/simple_page.hpp"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "base/encoding.hpp"
#include "base/error.hpp"
#include "base/json.hpp"
#include "base/text.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_api_version = "1.1";
constexpr std::size_t k_accept_ranges = 50;

std::string html_page(std::string_view title, std::string_view links) {
  return fmt::format(
      "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"><meta name=\"pypi:repository-version\" content=\"{}\">"
      "<title>{}</title></head>\n<body>\n<h1>{}</h1>\n{}</body>\n</html>\n",
      k_api_version, title, title, links);
}

Json meta() {
  auto out = Json::object();
  out["api-version"] = k_api_version;
  return out;
}

/// q of one media range, 1 when absent, 0 when malformed.
double quality(std::string_view parameters) {
  for (const auto raw : split(parameters, ';')) {
    const auto parameter = trim(raw);
    if (!parameter.starts_with("q=") && !parameter.starts_with("Q=")) continue;
    double value = 0;
    const auto text = parameter.substr(2);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && value <= 1 ? value : 0;
  }
  return 1;
}

struct Offer {
  SimpleForm form;
  std::string_view type;
};
constexpr Offer k_offers[] = {{SimpleForm::json, "application/vnd.pypi.simple.v1+json"},
                              {SimpleForm::json, "application/vnd.pypi.simple.latest+json"},
                              {SimpleForm::html_v1, "application/vnd.pypi.simple.v1+html"},
                              {SimpleForm::html_v1, "application/vnd.pypi.simple.latest+html"},
                              {SimpleForm::html, "text/html"},
                              {SimpleForm::html, "text/*"},
                              {SimpleForm::html, "*/*"},
                              {SimpleForm::json, "application/*"}};

}  // namespace

std::string_view content_type(SimpleForm form) {
  switch (form) {
    case SimpleForm::json:
      return "application/vnd.pypi.simple.v1+json";
    case SimpleForm::html_v1:
      return "application/vnd.pypi.simple.v1+html; charset=utf-8";
    case SimpleForm::html:
      return "text/html; charset=utf-8";
  }
  return "text/html";
}

SimpleForm negotiate_simple_form(std::string_view accept) {
  if (trim(accept).empty()) return SimpleForm::html;
  std::optional<SimpleForm> best;
  double best_quality = 0;
  std::size_t best_rank = std::size(k_offers), count = 0;
  for (const auto raw : split(accept, ',')) {
    if (++count > k_accept_ranges) break;
    const auto semicolon = raw.find(';');
    const auto type = to_lower(trim(raw.substr(0, semicolon)));
    const auto q = semicolon == std::string_view::npos ? 1.0 : quality(raw.substr(semicolon + 1));
    for (std::size_t rank = 0; rank < std::size(k_offers); ++rank) {
      if (k_offers[rank].type != type || q <= 0) continue;
      if (q < best_quality || (q == best_quality && rank > best_rank)) continue;
      best = k_offers[rank].form;
      best_quality = q;
      best_rank = rank;
    }
  }
  if (!best) {
    throw Error(ErrorCode::not_acceptable, "the index speaks JSON and HTML of the simple repository API, version 1",
                "accept application/vnd.pypi.simple.v1+json or text/html");
  }
  return *best;
}

std::string simple_index_page(const std::vector<std::string>& names, SimpleForm form) {
  if (form == SimpleForm::json) {
    auto page = Json::object();
    page["meta"] = meta();
    auto& projects = page["projects"] = Json::array();
    for (const auto& name : names) projects.push_back(Json::object({{"name", name}}));
    return dump_json_line(page);
  }
  std::string links;
  for (const auto& name : names) links += fmt::format("<a href=\"{0}/\">{0}</a><br>\n", name);
  return html_page("Simple index", links);
}

std::string simple_project_page(std::string_view name, const std::vector<SimpleFile>& files, SimpleForm form) {
  if (form == SimpleForm::json) {
    auto page = Json::object();
    page["meta"] = meta();
    page["name"] = name;
    std::set<std::string> versions;
    auto& list = page["files"] = Json::array();
    for (const auto& file : files) {
      versions.insert(file.version);
      auto item = Json::object();
      item["filename"] = file.filename;
      item["url"] = encode_percent_path(file.filename);
      item["hashes"] = Json::object({{"sha256", file.digest.hex()}});
      item["size"] = file.size;
      item["yanked"] = false;
      if (!file.requires_python.empty()) item["requires-python"] = file.requires_python;
      // Not "dist-info-metadata": pip 22.3 to 23.0 breaks on it (PEP 714).
      if (file.metadata_digest) item["core-metadata"] = Json::object({{"sha256", file.metadata_digest->hex()}});
      list.push_back(std::move(item));
    }
    page["versions"] = Json(versions);
    return dump_json_line(page);
  }
  std::string links;
  for (const auto& file : files) {
    links +=
        fmt::format("<a href=\"{}#sha256={}\"", escape_html(encode_percent_path(file.filename)), file.digest.hex());
    if (!file.requires_python.empty())
      links += fmt::format(" data-requires-python=\"{}\"", escape_html(file.requires_python));
    if (file.metadata_digest) links += fmt::format(" data-core-metadata=\"sha256={}\"", file.metadata_digest->hex());
    links += fmt::format(">{}</a><br>\n", escape_html(file.filename));
  }
  return html_page(fmt::format("Links for {}", name), links);
}

}  // namespace liftlock
