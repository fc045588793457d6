#include "ecosystem/file/collector.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdarg>
#include <nlohmann/json.hpp>

#include "base/code_of.hpp"
#include "base/error.hpp"
#include "base/kept_notes.hpp"
#include "crypto/hash.hpp"
#include "ecosystem/source_files.hpp"
#include "os/file.hpp"

namespace {
/// What is written to a file between somebody's look at its size and its clone; empty: the file system makes none.
std::string g_grown;
}  // namespace

/// Stands before libc's: a file system that makes clones when it is told to.
extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
  va_list arguments;
  va_start(arguments, request);
  const auto argument = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (request != FICLONE || g_grown.empty()) return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
  const auto bytes = liftlock::read_all(static_cast<int>(argument), 1u << 20, "a file") + g_grown;
  return ::pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) ? 0 : -1;
}

namespace liftlock {
namespace {

class FileCollecting : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view content) const {
    make_folders((m_folder.path() / name).parent_path());
    write_file_atomically(m_folder.path() / name, content);
  }
  Collected resolve(Json values) {
    const StackEntry entry{"file", "tool", std::move(values), sha256("")};
    m_context.emplace(
        CollectContext{m_store, m_downloader, m_reporter, m_folder.path(), m_folder.path(), "linux/amd64"});
    m_context->local_files = m_local_files;
    return FileCollector().resolve(entry, *m_context);
  }
  ErrorCode error_of(Json values) {
    try {
      resolve(std::move(values));
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  }
  TemporaryFolder m_folder;
  BlobStore m_store{m_folder.path() / "store"};
  Downloader m_downloader{m_store, silent_reporter(), {.offline = true}};
  KeptNotes m_reporter;
  std::optional<CollectContext> m_context;
  LocalFiles m_local_files = LocalFiles::copy;
};

TEST_F(FileCollecting, AFileGoesToItsCategory) {
  write("ollama-linux-amd64", "program");
  const auto collected = resolve({{"source", "ollama-linux-amd64"},
                                  {"category", "binaries"},
                                  {"executable", true},
                                  {"sha256", sha256("program").hex()}});
  const auto& artifact = collected.artifacts.at(0);
  EXPECT_EQ(artifact.files.at(0).path.text(), "binaries/ollama-linux-amd64");
  EXPECT_EQ(artifact.files[0].evidence.at(0).type, "stated");
  EXPECT_EQ(artifact.facts["executable"], true);
  EXPECT_EQ(artifact.version, sha256("program").hex().substr(0, 12));
  EXPECT_TRUE(collected.notes.empty());
  EXPECT_TRUE(m_store.contains(sha256("program")));
}

TEST_F(FileCollecting, AFolderKeepsItsTreeAndFirstUseIsNoted) {
  write("p/a.yaml", "1");
  write("p/b/c.yaml", "2");
  write("p/b/c.tmp", "3");
  const auto collected = resolve({{"source", "p"}, {"category", "patterns"}, {"exclude", {"*.tmp"}}, {"version", "1"}});
  const auto& files = collected.artifacts.at(0).files;
  ASSERT_EQ(files.size(), 2u);
  EXPECT_EQ(files[0].path.text(), "patterns/tool/a.yaml");
  EXPECT_EQ(files[1].path.text(), "patterns/tool/b/c.yaml");
  EXPECT_EQ(files[0].evidence.at(0).type, "first-use");
  EXPECT_EQ(collected.notes.size(), 2u);
}

TEST_F(FileCollecting, AFileUrlIsTakenWhole) {
  write("x y.txt", "hello");
  const auto collected = resolve({{"source", "file://" + (m_folder.path() / "x%20y.txt").string()}});
  EXPECT_EQ(collected.artifacts.at(0).files.at(0).path.text(), "files/x_y.txt");
  EXPECT_TRUE(m_store.contains(sha256("hello")));
}

TEST_F(FileCollecting, ALocalFileThatChangedIsNoticed) {
  write("a", "one");
  const auto artifact = resolve({{"source", "a"}}).artifacts.at(0);
  const auto changed = [&] { return has_changed(artifact.files.at(0), m_folder.path(), now()); };
  EXPECT_FALSE(changed());
  write("a", "two");
  EXPECT_TRUE(changed());
  write("a", "three");
  EXPECT_TRUE(changed());
  fs::remove(m_folder.path() / "a");
  EXPECT_FALSE(changed());
}

TEST_F(FileCollecting, LocalFilesAreReferredToOrCopied) {
  write("p/a", "1");
  write("p/b", "22");
  const auto blobs = [&] { return m_store.holds(sha256("1")) + m_store.holds(sha256("22")); };
  m_local_files = LocalFiles::refer;
  const auto referred = resolve({{"source", "p"}}).artifacts.at(0);
  if (blobs() == 2) GTEST_SKIP() << "this file system makes clones";
  ASSERT_EQ(blobs(), 0);
  EXPECT_TRUE(m_store.contains(sha256("1")) && m_store.contains(sha256("22")));
  m_local_files = LocalFiles::copy;
  EXPECT_EQ(resolve({{"source", "p"}}).artifacts.at(0), referred) << "the lock does not depend on it";
  EXPECT_EQ(blobs(), 2);
}

TEST_F(FileCollecting, ALostReferenceIsFoundAgainWhereItsFileHoldsWhatWasLocked) {
  write("p/a", "1");
  write("p/b", "22");
  m_local_files = LocalFiles::refer;
  const auto artifact = resolve({{"source", "p"}}).artifacts.at(0);
  write("p/a", "1");  // another inode, the same bytes
  write("p/b", "33");
  EXPECT_FALSE(m_store.contains(sha256("1")) || m_store.contains(sha256("22")));
  if (m_store.holds(sha256("1"))) GTEST_SKIP() << "this file system makes clones";
  refer_to_local_files(*m_context, "demo", std::span(&artifact, 1));
  EXPECT_TRUE(m_store.contains(sha256("1")));
  EXPECT_FALSE(m_store.contains(sha256("22")) || m_store.contains(sha256("33")));
  EXPECT_FALSE(m_store.holds(sha256("1")));
}

TEST_F(FileCollecting, AFileThatGrowsWhileItIsClonedGivesWhatItsDigestSays) {
  write("log", "first line\n");
  g_grown = "second line\n";
  const auto artifact = resolve({{"source", "log"}}).artifacts.at(0);
  g_grown.clear();
  const auto& file = artifact.files.at(0);
  EXPECT_EQ(file.digest, sha256("first line\n"));
  EXPECT_EQ(file.size, 11u);
  EXPECT_EQ(read_all(m_store.open(file.digest).get(), 100, "a blob"), "first line\n");
}

TEST_F(FileCollecting, HiddenFilesAreCountedOrTakenByName) {
  for (const auto* name : {"p/a", "p/.env", "p/.conf/x", "p/.conf/y", "p/.git/config", "p/b/.env"}) write(name, name);
  fs::create_symlink("/etc/passwd", m_folder.path() / "p" / ".conf" / "link");
  const auto paths = [](const Collected& collected) {
    std::vector<std::string> out;
    for (const auto& file : collected.artifacts.at(0).files) out.push_back(file.path.text().substr(11));
    return out;
  };
  const auto left = [](const Collected& collected) {
    for (const auto& note : collected.notes)
      if (note.find("left out") != std::string::npos) return note;
    return std::string();
  };
  const auto all = resolve({{"source", "p"}});
  EXPECT_EQ(paths(all), std::vector<std::string>{"a"});
  EXPECT_EQ(left(all), "6 hidden files left out, .conf/link first; `include` takes them");
  const auto excluded = resolve({{"source", "p"}, {"exclude", {".conf/**", ".git/**", ".env"}}});
  EXPECT_EQ(left(excluded), "");
  const Json include = {".env", ".conf/?", "*"};
  const auto named = resolve({{"source", "p"}, {"include", include}});
  EXPECT_EQ(paths(named), (std::vector<std::string>{".conf/x", ".conf/y", ".env", "a", "b/.env"}));
  const StackEntry entry{"file", "tool", {{"source", "p"}, {"include", include}}, sha256("")};
  EXPECT_EQ(FileCollector().local_files(entry, m_folder.path()).value().size(), 5u);
  EXPECT_EQ(error_of({{"source", "p"}, {"include", {".conf/**"}}}), ErrorCode::not_regular);
  write("q/.env", "x");
  EXPECT_EQ(error_of({{"source", "q"}}), ErrorCode::stack_invalid);
}

TEST_F(FileCollecting, AllNamesThatNoBundleCarriesAreListed) {
  write("p/a", "x");
  for (int i = 10; i < 35; ++i) write(fmt::format("p/\xC3\xA4{}", i), "x");
  try {
    resolve({{"source", "p"}});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::path_unsafe);
    const std::string message(error.message());
    EXPECT_THAT(message, testing::HasSubstr("[file.tool]: 25 files have names that no bundle carries"));
    EXPECT_THAT(message, testing::HasSubstr("29' (it has a byte outside printable ASCII), and 5 more"));
    EXPECT_THAT(std::string(error.hint()), testing::HasSubstr("exclude"));
  }
}

TEST_F(FileCollecting, MistakesAreRefused) {
  write("a", "x");
  write("d/a", "x");
  EXPECT_EQ(error_of({{"source", "a"}, {"category", "binary"}}), ErrorCode::stack_invalid);
  EXPECT_EQ(error_of({{"source", "a"}, {"sha256", "12"}}), ErrorCode::stack_invalid);
  EXPECT_EQ(error_of({{"source", "a"}, {"sha256", sha256("y").hex()}}), ErrorCode::digest_mismatch);
  EXPECT_EQ(error_of({{"source", "d"}, {"sha256", sha256("x").hex()}}), ErrorCode::stack_invalid);
  EXPECT_EQ(error_of({{"source", "none"}}), ErrorCode::not_found);
}

TEST_F(FileCollecting, AnAddressWithAPasswordIsNotSaidAgain) {
  for (const auto* source : {"oci://user:s3cret@registry.example/a:1", "https://user:s3cret@files.example/a"}) {
    try {
      resolve({{"source", source}});
      ADD_FAILURE() << source;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::stack_invalid) << source;
      EXPECT_THAT(error.message(), testing::AllOf(testing::HasSubstr("user name or password"),
                                                  testing::Not(testing::HasSubstr("s3cret"))));
      EXPECT_THAT(std::string(error.hint()), testing::Not(testing::HasSubstr("s3cret"))) << source;
    }
  }
}

TEST_F(FileCollecting, WhatIsNoFileIsNamed) {
  fs::create_directories(m_folder.path() / "d");
  ASSERT_EQ(::mkfifo((m_folder.path() / "d" / "pipe").c_str(), 0600), 0);
  for (const auto& [source, what] :
       {std::pair("/dev/zero", "is a device"), {"d/pipe", "is a pipe"}, {"d", "is a pipe"}}) {
    try {
      resolve({{"source", source}});
      ADD_FAILURE() << source;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::not_regular) << source;
      EXPECT_THAT(error.message(), testing::HasSubstr(what)) << source;
      EXPECT_THAT(std::string(error.hint()), testing::HasSubstr("into a file")) << source;
    }
  }
}

TEST_F(FileCollecting, ASourceThatIsALinkOrBelowOneIsFollowedAndSaidAndTheLockDoesNotHaveIt) {
  write("kept/a.txt", "a");
  const auto kept = fs::canonical(m_folder.path() / "kept");
  fs::create_symlink("kept/a.txt", m_folder.path() / "a.txt");
  fs::create_directory_symlink("kept", m_folder.path() / "named");
  const auto link_notes = [&](const std::string& source) {
    m_reporter.notes.clear();
    for (const auto& note : resolve({{"source", source}}).notes)
      EXPECT_THAT(note, testing::Not(testing::HasSubstr(m_folder.path().string()))) << "a place of this machine";
    return m_reporter.notes;
  };
  const auto file = (kept / "a.txt").string(), folder = kept.string();
  EXPECT_EQ(link_notes("a.txt"), std::vector<std::string>{"'a.txt' leads by a link to '" + file + "'"});
  EXPECT_EQ(link_notes("named/a.txt"), std::vector<std::string>{"'named/a.txt' leads by a link to '" + file + "'"});
  EXPECT_EQ(link_notes("named/"), std::vector<std::string>{"'named/' leads by a link to '" + folder + "'"});
  for (const auto& source : {std::string("kept/a.txt"), std::string("./kept/../kept/"), file})
    EXPECT_EQ(link_notes(source), std::vector<std::string>()) << source;
}

TEST_F(FileCollecting, WhatCannotBeReachedIsAnErrorWithACode) {
  fs::create_symlink("loop", m_folder.path() / "loop");
  EXPECT_EQ(error_of({{"source", "loop"}}), ErrorCode::io_error);
  EXPECT_EQ(error_of({{"source", "loop/below"}}), ErrorCode::io_error);
  const StackEntry entry{"file", "tool", {{"source", "loop"}}, sha256("")};
  EXPECT_EQ(code_of([&] { FileCollector().local_files(entry, m_folder.path()); }), ErrorCode::io_error);
}

TEST_F(FileCollecting, TellsWhichFilesItWouldTakeNow) {
  write("p/a.yaml", "1");
  write("p/b/c.yaml", "2");
  write("p/.hidden", "3");
  write("p/x.tmp", "4");
  const StackEntry entry{"file", "tool", {{"source", "p/"}, {"exclude", {"*.tmp"}}}, sha256("")};
  EXPECT_EQ(FileCollector().local_files(entry, m_folder.path()), (std::vector<std::string>{"p/a.yaml", "p/b/c.yaml"}));
  std::vector<std::string> locked;
  for (const auto& file : resolve(entry.values).artifacts.at(0).files) locked.push_back(file.origin);
  EXPECT_EQ(FileCollector().local_files(entry, m_folder.path()), locked);
  const StackEntry remote{"file", "tool", {{"source", "https://h.example/x"}}, sha256("")};
  EXPECT_EQ(FileCollector().local_files(remote, m_folder.path()), std::nullopt);
}

}  // namespace
}  // namespace liftlock
