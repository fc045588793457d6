#include "access/labels.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/error.hpp"

namespace liftlock {
namespace {

std::string_view found_in(const std::map<std::string, std::string, std::less<>>& labels, std::string_view name) {
  const auto found = labels.find(name);
  return found == labels.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace

Labels::Labels(std::vector<std::string> order, std::map<std::string, std::string> models,
               std::map<std::string, std::string> pools)
    : m_order(std::move(order)), m_models(models.begin(), models.end()), m_pools(pools.begin(), pools.end()) {}

std::size_t Labels::rank(std::string_view label, std::size_t fallback) const {
  const auto found = std::find(m_order.begin(), m_order.end(), label);
  return found == m_order.end() ? fallback : static_cast<std::size_t>(found - m_order.begin());
}

void Labels::require_read(std::size_t key, std::size_t model_rank, std::string_view model) const {
  if (model_rank <= key) return;
  fail(ErrorCode::forbidden, "'{}' is labelled {}, and the key is for {} and below", printable(model),
       m_order[model_rank], m_order[key]);
}

void Labels::require_local(std::string_view key_label, std::string_view model) const {
  if (!in_use()) return;
  require_read(rank(key_label, 0), rank(found_in(m_models, model), m_order.size() - 1), model);
}

void Labels::require_remote(std::string_view key_label, std::string_view model) const {
  if (!in_use()) return;
  const auto key = rank(key_label, 0);
  const auto pool = rank(found_in(m_pools, model.substr(0, model.find('/'))), 0);
  require_read(key, rank(found_in(m_models, model), pool), model);
  // What such a key wrote is not ours to send to a lesser place, and of a label that is gone nobody knows its height.
  const auto written = key_label.empty() ? 0 : rank(key_label, m_order.size() - 1);
  if (written <= pool) return;
  fail(ErrorCode::forbidden, "the pool of '{}' is labelled {}, and the key's prompts are {}", printable(model),
       m_order[pool], m_order[written]);
}

}  // namespace liftlock
