#include "gateway/multipart.hpp"

#include <gtest/gtest.h>

#include "base/code_of.hpp"

namespace liftlock {
namespace {

constexpr std::string_view k_type = "multipart/form-data; boundary=XX";

TEST(Form, IsRead) {
  const auto parts =
      parse_form(k_type,
                 "--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a; \\\"b\\\".wav\"\r\n"
                 "Content-Type: audio/wav\r\n\r\nRI\r\n--X\r\n\r\n\1FF\r\n"
                 "--XX\r\ncontent-disposition: form-data; name=model\r\n\r\n\r\n--XX--\r\n");
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].name, "file");
  EXPECT_EQ(parts[0].filename, "a; \"b\".wav");
  EXPECT_EQ(parts[0].body.substr(0, 7), "RI\r\n--X");
  EXPECT_EQ(parts[1].name, "model");
  EXPECT_EQ(parts[1].body, "");
  EXPECT_EQ(parse_form("Multipart/Form-Data; charset=utf-8; boundary=\"a b\"", "--a b--").size(), 0u);
}

TEST(Form, WhatIsNoneIsRefused) {
  const std::string good = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--XX--\r\n";
  ASSERT_EQ(parse_form(k_type, good).size(), 1u);
  for (std::size_t size = 0; size < good.size() - 2; ++size) {
    EXPECT_EQ(code_of([&] { parse_form(k_type, good.substr(0, size)); }), ErrorCode::bad_request) << size;
  }
  std::string many;
  for (std::size_t i = 0; i <= k_max_form_parts; ++i) many += good.substr(0, good.size() - 8);
  for (const auto& body : {good + "x", "x" + good, many + "--XX--",
                           std::string("--XX\r\nContent-Disposition: form-data\r\n\r\nb\r\n--XX--"),
                           std::string("--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nb\r\n--XX--"),
                           std::string("--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\nb\r\n--XX--"),
                           std::string("--XX\r\nno header\r\n\r\nb\r\n--XX--"),
                           std::string("--XX\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: form-data; "
                                       "name=\"a\"\r\n\r\nb\r\n--XX--"),
                           "--XX\r\nX: " + std::string(k_max_part_head, 'x') + "\r\n\r\nb\r\n--XX--"}) {
    EXPECT_EQ(code_of([&] { parse_form(k_type, body); }), ErrorCode::bad_request) << body.substr(0, 100);
  }
  for (const auto& type :
       {std::string("application/json"), std::string("multipart/form-data"),
        std::string("multipart/form-data; boundary="), "multipart/form-data; boundary=" + std::string(71, 'x'),
        std::string("multipart/mixed; boundary=XX")}) {
    EXPECT_EQ(code_of([&] { parse_form(type, good); }), ErrorCode::bad_request) << type;
  }
}

}  // namespace
}  // namespace liftlock
