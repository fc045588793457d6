#include <gtest/gtest.h>

#include "gateway/openai_request.hpp"
