#include "engine/lease.hpp"

#include <utility>

namespace liftlock::engine {

Lease::Lease(std::shared_ptr<const EngineRun> run, std::shared_ptr<SlotUse> use, std::function<void(bool)> release)
    : m_run(std::move(run)), m_use(std::move(use)), m_release(std::move(release)) {}

Lease::~Lease() {
  m_release(m_given_up);
}

}  // namespace liftlock::engine
