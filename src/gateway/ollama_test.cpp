#include <gtest/gtest.h>

#include "gateway/ollama.hpp"
