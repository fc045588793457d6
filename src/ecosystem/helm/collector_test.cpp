#include "ecosystem/helm/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "crypto/hash.hpp"
#include "os/file.hpp"

namespace liftlock::helm {
namespace {

using testing::HasSubstr;
using testing::Not;

class ChartCollecting : public testing::Test {
 protected:
  Error error_of(Json values) {
    const StackEntry entry{.table = "chart", .name = "storage", .values = std::move(values), .declared = sha256("")};
    try {
      (void)ChartCollector().resolve(entry, m_context);
    } catch (const Error& error) {
      return error;
    }
    return {ErrorCode::internal, "nothing was thrown"};
  }

  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  Downloader m_downloader{m_store, silent_reporter(), {.attempts = 1, .offline = true}};
  CollectContext m_context{m_store, m_downloader, silent_reporter(), m_folder.path(), m_folder.path(), "linux/amd64"};
};

TEST_F(ChartCollecting, AChartInAnOciRegistrySaysWhichImageToWrite) {
  const auto expect = [&](Json values, std::string_view source) {
    const auto error = error_of(std::move(values));
    EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << source;
    EXPECT_THAT(std::string(error.hint()),
                HasSubstr(fmt::format("write [image.storage] with source = \"{}\"", source)));
  };
  expect({{"repository", "oci://registry.example/charts"}, {"version", "1.2.0+build"}},
         "docker://registry.example/charts/storage:1.2.0_build");
  expect({{"repository", "oci://registry.example/charts/"}, {"chart", "other"}},
         "docker://registry.example/charts/other:VERSION");
  expect({{"repository", "docker://registry.example:5000/charts"}, {"version", "1.0.0"}},
         "docker://registry.example:5000/charts/storage:1.0.0");
  expect({{"source", "oci://registry.example/charts/storage"}, {"version", "1.0.0"}},
         "docker://registry.example/charts/storage:1.0.0");
  expect({{"source", "docker://registry.example/charts/storage:3"}}, "docker://registry.example/charts/storage:3");
  expect({{"source", "oci:folder:storage"}}, "oci:folder:storage");
  EXPECT_THAT(std::string(error_of({{"repository", "charts"}, {"version", "1"}}).hint()), HasSubstr("index.yaml"));
}

TEST_F(ChartCollecting, AnAddressWithAPasswordIsNotSaidAgain) {
  for (const auto* key : {"repository", "source"}) {
    for (const auto* address :
         {"oci://user:s3cret@registry.example/charts", "docker://s3cret@registry.example/charts:1",
          "https://user:s3cret@charts.example/a-1.tgz"}) {
      const auto error = error_of({{key, address}, {"version", "1.0.0"}});
      EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << address;
      EXPECT_THAT(std::string(error.what()),
                  testing::AllOf(HasSubstr("user name or password"), Not(HasSubstr("s3cret"))));
      EXPECT_THAT(std::string(error.hint()), Not(HasSubstr("s3cret"))) << address;
    }
  }
}

}  // namespace
}  // namespace liftlock::helm
