#include "gateway/anthropic.hpp"
