#include <gtest/gtest.h>

#include "gateway/anthropic.hpp"
