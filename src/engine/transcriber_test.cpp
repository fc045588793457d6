#include "engine/transcriber.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"
#include "base/error.hpp"

namespace liftlock::engine {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view k_two = R"({"result":{"language":"en"},"transcription":[
  {"offsets":{"from":0,"to":1500},"text":" Open the gate."},
  {"offsets":{"from":3723004,"to":3725000},"text":" Now."}]})";

TEST(Transcript, IsReadAndWritten) {
  const auto transcript = read_transcript(k_two);
  EXPECT_EQ(transcript.language, "en");
  ASSERT_EQ(transcript.segments.size(), 2u);
  EXPECT_EQ(transcript.segments[1].from, 1h + 2min + 3s + 4ms);
  EXPECT_EQ(transcript.text(), "Open the gate. Now.");
  EXPECT_EQ(to_srt(transcript),
            "1\n00:00:00,000 --> 00:00:01,500\nOpen the gate.\n\n2\n01:02:03,004 --> 01:02:05,000\nNow.\n\n");
  EXPECT_EQ(to_vtt(transcript),
            "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nOpen the gate.\n\n01:02:03.004 --> 01:02:05.000\nNow.\n\n");
}

TEST(Transcript, HalfACharacterIsNoReasonToFail) {
  EXPECT_EQ(read_transcript("{\"result\":{\"language\":\"ja\"},\"transcription\":[{\"offsets\":{\"from\":0,\"to\":1},"
                            "\"text\":\"a\xe3\x81\"}]}")
                .text(),
            "a\xef\xbf\xbd");
}

TEST(Transcript, WhatIsNoneIsTheEnginesFault) {
  for (const auto* text :
       {"", "[]", "{}", R"({"result":{"language":"en"},"transcription":[{"text":"a"}]})",
        R"({"result":{"language":"en"},"transcription":[{"offsets":{"from":-1,"to":2},"text":"a"}]})",
        R"({"result":{"language":"en"},"transcription":[{"offsets":{"from":"0","to":2},"text":"a"}]})",
        R"({"result":{"language":"en"},"transcription":[{"offsets":{"from":0,"to":2},"text":7}]})"}) {
    EXPECT_EQ(code_of([&] { (void)read_transcript(text); }), ErrorCode::engine_failed) << text;
  }
}

std::string wav(std::uint32_t bytes_a_second, std::size_t bytes) {
  std::string out = "RIFF....WAVEjunk";
  const auto put = [&](std::uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8) out += static_cast<char>(value & 0xff);
  };
  put(3), out += "odd ";  // chunks begin at even places
  out += "fmt ";
  put(16), put(0x10001), put(16'000), put(bytes_a_second), put(0x100002);
  return out + std::string(bytes - out.size(), '\0');
}

TEST(Recording, SaysHowLongItIsAtMost) {
  const auto length = [](const std::string& bytes) { return Recording(std::string_view(bytes)).length(); };
  EXPECT_EQ(length(wav(32'000, 320'000)), 10s);
  EXPECT_EQ(length(wav(1, 20'000)), 10s) << "no sound has one byte a second";
  EXPECT_EQ(length("ID3" + std::string(19'997, 'x')), 10s);
  EXPECT_EQ(length("RIFF....WAVE"), 0s);
  EXPECT_EQ(length("RIFF....WAVEjunk\xff\xff\xff\xff" + std::string(20'000, 'x')), 10s) << "a chunk without an end";
}

}  // namespace
}  // namespace liftlock::engine
