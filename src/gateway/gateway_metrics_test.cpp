// The text of /metrics as Prometheus reads it: https://prometheus.io/docs/instrumenting/exposition_formats/
#include "gateway/gateway_metrics.hpp"

#include <gmock/gmock.h>

#include <regex>
#include <set>

#include "base/text.hpp"
#include "gateway/gateway_status.hpp"

namespace liftlock {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

/// The rules that `promtool check metrics` and the server's own parser have for it.
void expect_well_formed(const std::string& text) {
  static const std::regex k_sample(R"re(([a-z_]+)(\{((?:[a-z]+="(?:[^"\\]|\\["\\n])*",?)+)\})? (\S+))re");
  std::map<std::string, std::string> types;
  std::set<std::string> helped, series;
  std::string family;
  ASSERT_TRUE(text.ends_with('\n'));
  for (const auto view : split(std::string_view(text).substr(0, text.size() - 1), '\n')) {
    const std::string line(view);
    const auto words = split(view, ' ');
    if (view.starts_with("# HELP ")) {
      EXPECT_TRUE(helped.insert(std::string(words[2])).second) << line;
      EXPECT_GT(words.size(), 3u) << line;
      continue;
    }
    if (view.starts_with("# TYPE ")) {
      family = words[2];
      EXPECT_TRUE(types.emplace(family, words[3]).second) << line;
      EXPECT_TRUE(helped.contains(family)) << line;
      EXPECT_EQ(types[family] == "counter", family.ends_with("_total")) << line;
      continue;
    }
    std::smatch parts;
    ASSERT_TRUE(std::regex_match(line, parts, k_sample)) << line;
    auto name = parts[1].str();
    if (types[family] == "histogram" || types[family] == "summary") {
      for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
        if (name == family + suffix) name = family;
      }
    }
    EXPECT_EQ(name, family) << line;
    EXPECT_TRUE(series.insert(parts[1].str() + parts[2].str()).second) << "twice: " << line;
    EXPECT_NO_THROW(std::stod(parts[4].str())) << line;
  }
}

ConversationEnd answered(const std::string& model, std::string_view outcome) {
  ConversationEnd end;
  end.model = model;
  end.outcome = outcome;
  end.prompt_tokens = 7;
  end.completion_tokens = 20;
  end.wait = 10ms;
  end.first = 200ms;
  end.total = 1500ms;
  return end;
}

engine::Running running(const std::string& model, const std::string& digest) {
  engine::Running one;
  one.model = model;
  one.digest = digest;
  one.state = "ready";
  one.engine = "llama/1-cpu";
  one.memory = 1000;
  one.resident = 300;
  one.slots = 2;
  one.active = 1;
  one.queued = 3;
  return one;
}

TEST(GatewayMetricsTest, IsWellFormedAlsoForOddNamesAndTwoVersionsOfAModel) {
  GatewayMetrics metrics;
  expect_well_formed(metrics.text({}, {}, {}, 0));
  const std::string odd = "a\\b\"c\nd";
  metrics.count(answered("demo", "success"));
  metrics.count(answered("demo", "failed"));
  metrics.count(answered(odd, "success"));
  metrics.refused();
  const std::vector<engine::LoadCounts> loads = {{.model = "demo", .loads = 2, .restarts = 1, .checks = 2}};
  const auto text =
      metrics.text({running("demo", "sha256:1"), running("demo", "sha256:2"), running(odd, "sha256:3")}, loads, {}, 4);
  expect_well_formed(text);
  EXPECT_THAT(text, HasSubstr("liftlock_engine_resident_bytes{model=\"demo\"} 600\n"));
  EXPECT_THAT(text, HasSubstr("liftlock_requests_total{model=\"a\\\\b\\\"cd\",outcome=\"success\"} 1\n"));
}

TEST(GatewayMetricsTest, CoversWhatOperatorsWatch) {
  GatewayMetrics metrics;
  metrics.count(answered("demo", "success"));
  const std::vector<engine::LoadCounts> loads = {
      {.model = "demo", .loads = 2, .restarts = 1, .suspicious = 5, .checks = 3, .checking = 1500ms, .starting = 4s}};
  const auto text = metrics.text({running("demo", "sha256:1")}, loads, {}, 0);
  for (const auto* sample : {"liftlock_requests_total{model=\"demo\",outcome=\"success\"} 1\n",
                             "liftlock_tokens_total{model=\"demo\",kind=\"prompt\"} 7\n",
                             "liftlock_tokens_total{model=\"demo\",kind=\"completion\"} 20\n",
                             "liftlock_first_token_seconds_bucket{le=\"0.25\"} 1\n",
                             "liftlock_model_requests{model=\"demo\",kind=\"queued\"} 3\n",
                             "liftlock_engine_restarts_total{model=\"demo\"} 1\n",
                             "liftlock_model_verification_seconds_sum{model=\"demo\"} 1.5\n",
                             "liftlock_model_verification_seconds_count{model=\"demo\"} 3\n",
                             "liftlock_engine_start_seconds_sum{model=\"demo\"} 4\n"}) {
    EXPECT_THAT(text, HasSubstr(sample));
  }
  EXPECT_THAT(text, HasSubstr("liftlock_engine_suspicious_total{model=\"demo\"} 5\n"));
}

}  // namespace
}  // namespace liftlock
