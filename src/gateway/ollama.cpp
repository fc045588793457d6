#include "gateway/ollama.hpp"
