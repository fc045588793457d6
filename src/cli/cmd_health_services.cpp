#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "base/error.hpp"
#include "cli/commands.hpp"
#include "cli/pool_settings.hpp"
#include "net/upstream.hpp"
#include "pool/dialect.hpp"

namespace liftlock {
namespace {

using Clock = std::chrono::steady_clock;

constexpr UnixClientLimits k_limits{.max_body = 4u << 20,
                                    .connect = std::chrono::seconds(5),
                                    .idle = std::chrono::seconds(5),
                                    .total = std::chrono::seconds(10)};

constexpr std::chrono::seconds k_pause(1);

struct Options {
  std::string ca_file;
  std::string wait = "0s";
};

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

/// One service that an application is told of by variables (M14), and how it says that it is well (M8).
struct Service {
  std::string name;     ///< "vector store"
  std::string setting;  ///< "QDRANT_URL"
  std::string address;  ///< its value; empty: this service is not used
  std::string path;     ///< asked behind the address
  std::string model;    ///< must be there; empty: any
  std::string header;   ///< that takes the secret
  std::string secret;
  /// What a body of status 200 lacks; empty: it is well. May throw Error for a body that cannot be read.
  std::function<std::string(const std::string& body, const std::string& model)> lacks;
};

std::string lacks_words(const std::string& body, std::string_view words) {
  return body.find(words) == std::string::npos ? fmt::format("its answer does not say \"{}\"", words) : std::string();
}

std::string lacks_listed(const std::string& body, const std::string& model) {
  const auto names = pool::listed_models(body);
  if (model.empty() || std::find(names.begin(), names.end(), model) != names.end()) return {};
  return fmt::format("it does not list the model '{}', but: {}", model, fmt::join(names, ", "));
}

std::string lacks_id(const std::string& body, const std::string& model) {
  const auto there = string_member(parse_json(body), "model_id", "its answer");
  return model.empty() || there == model ? std::string()
                                         : fmt::format("it has the model '{}' and not '{}'", there, model);
}

/// Of Ollama's /api/tags; a name without a tag means its "latest".
std::string lacks_tag(const std::string& body, const std::string& model) {
  const auto answer = parse_json(body, {.max_bytes = 4u << 20});
  std::vector<std::string> names;
  for (const auto& one : array_member(answer, "models", "its answer")) {
    names.push_back(string_member(one, "name", "its answer"));
    if (model.empty() || names.back() == model || names.back() == model + ":latest") return {};
  }
  if (model.empty()) return {};
  return fmt::format("it does not list the model '{}', but: {}", model, fmt::join(names, ", "));
}

/// As Ollama reads its OLLAMA_HOST: with or without a scheme, and then with or without host and port. What a server
/// listens at everywhere, a client asks of this machine.
std::string ollama_address(std::string host) {
  if (host.empty() || host.find("://") != std::string::npos) return host;
  if (std::count(host.begin(), host.end(), ':') > 1 && host[0] != '[') host = "[" + host + "]";
  const auto bracket = host.rfind(']');
  const auto colon = host.find(':', bracket == std::string::npos ? 0 : bracket);
  const auto port = colon == std::string::npos ? std::string(":11434") : host.substr(colon);
  auto name = host.substr(0, colon);
  if (name.empty() || name == "0.0.0.0") name = "127.0.0.1";
  if (name == "[::]") name = "[::1]";
  return "http://" + name + port;
}

std::vector<Service> services() {
  const auto bearer = [](const std::string& key) { return key.empty() ? key : "Bearer " + key; };
  std::vector<Service> all = {
      {"vector store", "QDRANT_URL", variable("QDRANT_URL"), "/healthz", "", "api-key", variable("QDRANT_API_KEY"),
       [](const std::string& body, const std::string&) { return lacks_words(body, "healthz check passed"); }},
      {"embeddings", "EMBEDDING_URL", variable("EMBEDDING_URL"), "/health", "", "", "",
       [](const std::string&, const std::string&) { return std::string(); }},
      {"language model", "LLM_URL", variable("LLM_URL"), "/models", variable("LLM_MODEL"), "Authorization",
       bearer(variable("LLM_API_KEY")), lacks_listed},
      {"Ollama", "OLLAMA_HOST", ollama_address(variable("OLLAMA_HOST")), "/api/tags", variable("OLLAMA_MODEL"),
       "Authorization", bearer(variable("OLLAMA_API_KEY")), lacks_tag}};
  // text-embeddings-inference tells its model at another place than its health.
  if (const auto model = variable("EMBEDDING_MODEL"); !model.empty() && !all[1].address.empty()) {
    auto informed = all[1];
    informed.path = "/info", informed.model = model, informed.lacks = lacks_id;
    all.insert(all.begin() + 2, informed);
  }
  std::erase_if(all, [](const auto& service) { return service.address.empty(); });
  return all;
}

RemoteServer server_of(const Service& service, std::shared_ptr<const Networks> networks, const std::string& ca_file) {
  auto text = service.address;
  while (text.ends_with('/')) text.pop_back();
  const auto address = HttpAddress::parse(text);
  if (!address) {
    throw Error(ErrorCode::usage, fmt::format("{} is '{}', which is no address", service.setting, printable(text)),
                "write it as http://10.0.0.5:8000");
  }
  if (address->tls && ca_file.empty())
    fail(ErrorCode::usage, "{} is https: --ca-file names what its certificate is proved by", service.setting);
  return {*address, std::move(networks), address->tls ? make_client_tls(ca_file) : nullptr};
}

/// What is wrong with it; empty: nothing.
std::string look_at_once(const Service& service, const RemoteServer& server, Clock::time_point end) {
  UnixRequest request{.method = "GET", .target = server.address.path + service.path, .headers = {}, .body = {}};
  if (!service.secret.empty()) request.headers.emplace_back(service.header, service.secret);
  auto limits = k_limits;
  const auto left = std::max(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()),
                             std::chrono::milliseconds(std::chrono::seconds(1)));
  for (auto* one : {&limits.connect, &limits.idle, &limits.total}) *one = std::min(*one, left);
  asio::io_context context(1);
  auto answer = asio::co_spawn(
      context,
      [&]() -> asio::awaitable<UnixResponse> {
        UpstreamExchange exchange(server, limits);
        auto head = co_await exchange.send(request);
        head.body = co_await exchange.read_all();
        co_return head;
      },
      asio::use_future);
  try {
    context.run();
    const auto response = answer.get();
    if (response.status != 200) return fmt::format("it answers {} with status {}", request.target, response.status);
    return service.lacks(response.body, service.model);
  } catch (const Error& error) {
    return error.message();
  }
}

struct Look {
  std::string why;  ///< what is wrong; empty: nothing
  std::int64_t milliseconds = 0;
};

Look look_at(const Service& service, const RemoteServer& server, Clock::time_point end) {
  const auto begin = Clock::now();
  auto why = look_at_once(service, server, end);
  return {std::move(why), std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin).count()};
}

/// One look at each: the first where all is well, else the last before `wait` is over.
std::vector<Look> wait_for_all(const std::vector<Service>& all, const std::vector<RemoteServer>& servers,
                               std::chrono::seconds wait) {
  const auto end = Clock::now() + wait;
  const auto bound = wait.count() == 0 ? Clock::time_point::max() : end;  // the only look has its full time
  while (true) {
    std::vector<Look> looks;
    for (std::size_t i = 0; i < all.size(); ++i) looks.push_back(look_at(all[i], servers[i], bound));
    const bool good = std::all_of(looks.begin(), looks.end(), [](const auto& look) { return look.why.empty(); });
    if (good || Clock::now() + k_pause > end) return looks;
    std::this_thread::sleep_for(k_pause);
  }
}

void run(Invocation& invocation, const Options& options) {
  const auto networks = pool_networks(invocation.site());
  const auto all = services();
  if (all.empty()) {
    throw Error(
        ErrorCode::usage, "no service is named in the environment",
        "set QDRANT_URL, EMBEDDING_URL (and EMBEDDING_MODEL), LLM_URL with its /v1 (and LLM_MODEL, LLM_API_KEY), "
        "OLLAMA_HOST (and OLLAMA_MODEL, OLLAMA_API_KEY)");
  }
  const auto wait = parse_duration(options.wait);
  if (!wait || *wait > std::chrono::hours(24))
    fail(ErrorCode::usage, "--wait: '{}' is no time such as 30s or 10m", printable(options.wait));
  std::vector<RemoteServer> servers;
  for (const auto& service : all) servers.push_back(server_of(service, networks, options.ca_file));
  const auto looks = wait_for_all(all, servers, *wait);
  auto json = Json::array();
  std::vector<std::vector<std::string>> rows{{"SERVICE", "ASKED", "GOOD", "MS", "WHY"}};
  bool good = true;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& service = all[i];
    const auto& [why, took] = looks[i];
    const auto asked = servers[i].address.text() + service.path;
    good = good && why.empty();
    json.push_back(
        {{"service", service.name}, {"asked", asked}, {"good", why.empty()}, {"milliseconds", took}, {"why", why}});
    rows.push_back({service.name, printable(asked), why.empty() ? "yes" : "NO", std::to_string(took), printable(why)});
  }
  invocation.print({{"good", good}, {"services", json}}, [&] { return format_table(rows); });
  if (!good) invocation.set_status(static_cast<int>(ErrorClass::upstream));
}

}  // namespace

void add_health_services(CLI::App& group, Invocation& invocation) {
  auto* command =
      group.add_subcommand("services", "Ask the vector store, the embeddings, the language model and Ollama");
  auto options = std::make_shared<Options>();
  command->add_option("--ca-file", options->ca_file, "PEM; what certificates of https addresses are proved by");
  command
      ->add_option("--wait", options->wait,
                   "Ask again each second until all are well, for so long at most (default: ask once)")
      ->type_name("TIME");
  command->footer(
      "They are named by the variables that applications read: QDRANT_URL and QDRANT_API_KEY (/healthz),\n"
      "EMBEDDING_URL and EMBEDDING_MODEL (/health and /info of text-embeddings-inference), LLM_URL with its /v1,\n"
      "LLM_MODEL and LLM_API_KEY (/models), OLLAMA_HOST, OLLAMA_MODEL and OLLAMA_API_KEY (/api/tags). Only addresses\n"
      "within [gateway] networks of config.toml are asked. Exit status 6: one is not there, or not what it must be.\n"
      "With --wait 5m in ExecStartPre= and TimeoutStartSec=6min of its unit, an application starts when all that it\n"
      "needs is there.\n"
      "Example: LLM_URL=http://127.0.0.1:8480/v1 LLM_MODEL=demo LLM_API_KEY=$KEY liftlock health services");
  command->callback([&invocation, options] { run(invocation, *options); });
}

}  // namespace liftlock
