#include "ecosystem/git/end_aside.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>

namespace liftlock::git {
namespace {

/// Its destructor waits for `may_end`, and says on which thread it was.
struct Slow {
  std::shared_future<void> may_end;
  std::promise<std::thread::id>* ended;
  ~Slow() {
    may_end.wait();
    ended->set_value(std::this_thread::get_id());
  }
};

TEST(EndAside, WhoGivesDoesNotWait) {
  std::promise<void> gate;
  std::promise<std::thread::id> first, second;
  EndAside aside;
  const auto may_end = gate.get_future().share();
  aside.end(std::shared_ptr<Slow>(new Slow{may_end, &first}));
  aside.end(std::shared_ptr<Slow>(new Slow{may_end, &second}));
  auto done = second.get_future();
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  gate.set_value();  // only now may they end: who had to wait for them would never come here
  EXPECT_NE(done.get(), std::this_thread::get_id());
}

TEST(EndAside, WhatWasGivenHasEndedWithIt) {
  std::atomic<int> ended = 0;
  const auto counted = [&] { return std::shared_ptr<int>(new int, [&](const int* at) { delete at, ++ended; }); };
  {
    EndAside aside;
    for (int i = 0; i < 10; ++i) aside.end(counted());
  }
  EXPECT_EQ(ended, 10);
}

TEST(EndAside, WhatOthersShareStays) {
  const auto shared = std::make_shared<int>(7);
  { EndAside().end(shared); }
  EXPECT_EQ(shared.use_count(), 1);
}

}  // namespace
}  // namespace liftlock::git
