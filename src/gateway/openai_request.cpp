#include "gateway/openai_request.hpp"
